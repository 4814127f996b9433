"""An update of the image brings another Python: what a person had installed with pip is installed for that one, too."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stacks import KERNELS, Stack, poll

# The tests' own, whose virtual environment stands for one that an earlier image made.
FORMER = f"python3.{sys.version_info.minor}"
INFORMATION = "gone_for_good-1.0.dist-info"
PUT_IN_PLACE = "rm -r /home/venv && cp -a /former/venv /home/venv && chown -hR 1000:1000 /home/venv"


def former_environment(folder: Path) -> None:
    """A virtual environment with a package that any Python has, and one that is nowhere any more."""
    wheel = folder / "gone_for_good-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("gone.py", "")
        archive.writestr(f"{INFORMATION}/METADATA", "Metadata-Version: 2.1\nName: gone-for-good\nVersion: 1.0\n")
        archive.writestr(f"{INFORMATION}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{INFORMATION}/RECORD", f"gone.py,,\n{INFORMATION}/METADATA,,\n{INFORMATION}/RECORD,,\n")
    python = folder / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder / "venv")], check=True)
    pip = [sys.executable, "-m", "pip", "--python", str(python), "--disable-pip-version-check", "install", "-q"]
    subprocess.run([*pip, "cowsay==6.1", str(wheel)], check=True)
    # As if it had come from an index, which a notebook's own usually does.
    (folder / "venv" / "lib" / FORMER / "site-packages" / INFORMATION / "direct_url.json").unlink()


def test_packages_are_installed_anew_and_what_can_not_be_had_is_named(
    own_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    python = stack.shell("basename $(readlink -f ~/venv/bin/python)").strip()
    assert python != FORMER
    spoken = python.replace("python", "Python ")
    former = tmp_path / "former"
    former.mkdir()
    former_environment(former)
    stack.compose("stop", KERNELS)
    stack.in_home_volume(PUT_IN_PLACE, "-v", f"{former}:/former:ro")
    stack.up()
    stack.told(f"1 package installed for {spoken}. What they were is kept in ~/venv/lib/{FORMER}")
    stack.told(f"gone-for-good is not there for {spoken}: No matching distribution found for gone-for-good==1.0")
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        kernel = client.start_kernel()
        assert f"/venv/lib/{python}/site-packages/cowsay" in kernel.run("import cowsay; print(cowsay.__file__)")
        said = kernel.run("import gone")
        assert "No module named 'gone'" in said
        # Looked up beside the event loop, it may come after the cell's own end.
        explained = "gone-for-good was installed for an earlier Python"
        assert explained in said or explained in text_of_the_next_stream(kernel)
        assert any("not there for" in text and "gone-for-good" in text for text in client.news())
    assert stack.shell("cowsay -t moo").count("moo") == 1
    # Installed by whatever means, it is missed no more.
    status = stack.workhorse("status")
    assert f"pip install -r ~/venv/lacking-{python}.txt" in status
    stack.shell(f"mkdir ~/venv/lib/{python}/site-packages/gone_for_good-2.0.dist-info")
    poll(lambda: "gone-for-good" not in stack.workhorse("status") or None, wanted="a status without it")
    assert stack.shell(f"ls ~/venv/lib/{FORMER}/site-packages").split().count("cowsay") == 1


def text_of_the_next_stream(kernel: Kernel) -> str:
    while (message := kernel.receive(30))["msg_type"] != "stream":
        pass
    return str(message["content"]["text"])
