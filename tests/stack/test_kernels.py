"""Kernels and environments, in the running stack."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from requests import HTTPError

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.extensions import add_extension
from tests.stacks import KERNELS, READY_SECONDS, Stack, poll


def test_what_a_notebook_writes_belongs_to_the_owner_of_the_folder(stack: Stack, client: Client) -> None:
    client.run("open('result.txt', 'w').write('42')")
    status = (stack.repositories / "result.txt").stat()
    assert (status.st_uid, status.st_gid) == (1000, 1000)
    assert (stack.repositories / "result.txt").read_text() == "42"


def test_the_scientific_stack_is_there(client: Client) -> None:
    packages = "numpy, scipy, pandas, matplotlib, sklearn, ipywidgets, sympy, networkx, h5py, pyarrow, sqlalchemy"
    more = "plotly, nbformat, lxml, skimage, h5netcdf"
    assert client.run(f"import {packages}, {more}\nprint('all there')") == "all there\n"


def test_the_kernel_sees_nothing_of_the_server(client: Client) -> None:
    printed = client.run("import sys, os; print(sys.path, os.environ['PATH'], sys.executable)")
    assert "/opt/server" not in printed
    assert "/opt/workhorse" not in printed


def test_no_setting_and_no_password_reaches_a_kernel(client: Client) -> None:
    names = client.run("import os; print(sorted(os.environ))")
    assert "HOME" in names
    for name in ("JUPYTER_PASSWORD", "SERVER_NAMES", "BIND_ADDRESS", "REPOSITORIES", "CA_FILE", "'PORT'"):
        assert name not in names
    assert PASSWORD not in client.run("import os; print(os.environ)")
    look_around = """
import glob
for file in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):
    try: print(open(file, 'rb').read())
    except OSError: pass
"""
    found = client.run(look_around)
    assert "entrypoint.kernels.server" in found
    assert "entrypoint.door" not in found
    assert PASSWORD not in found


def test_pip_installs_without_root_and_outlives_the_container(stack: Stack, client: Client) -> None:
    assert "Successfully installed cowsay" in client.run("%pip install --disable-pip-version-check cowsay")
    stack.compose("up", "-d", "--no-build", "--force-recreate", "--wait")
    printed = client.run("import cowsay; print(cowsay.__file__)")
    assert printed.startswith("/home/workhorse/venv/")
    assert "Successfully uninstalled" in stack.shell("pip uninstall -y cowsay")


def test_an_environment_made_in_a_terminal_shows_up_as_a_kernel(stack: Stack, client: Client) -> None:
    before = client.kernel_names()
    assert list(before) == ["python3"]
    stack.shell("conda create -y -q -n mine python=3.13 ipykernel && python -m venv /repositories/project/.venv")
    stack.shell("/repositories/project/.venv/bin/python -m pip install -q --disable-pip-version-check ipykernel")
    after = client.kernel_names()
    assert {"mine-python3", "project-python3"} <= set(after)
    assert "[mine]" in after["mine-python3"]
    assert client.run("import sys; print(sys.prefix)", "mine-python3") == "/home/workhorse/.conda/envs/mine\n"
    assert client.run("import sys; print(sys.prefix)", "project-python3") == "/repositories/project/.venv\n"


def test_an_environment_made_anywhere_shows_up_and_outlives_the_container(stack: Stack, client: Client) -> None:
    stack.shell("conda create -y -q -p ~/far/away python=3.13 ipykernel")
    assert "/home/workhorse/far/away" in stack.shell("cat ~/.conda/environments.txt").splitlines()
    stack.compose("up", "-d", "--no-build", "--force-recreate", "--wait")
    assert "[away]" in client.kernel_names()["away-python3"]
    assert client.run("import sys; print(sys.prefix)", "away-python3") == "/home/workhorse/far/away\n"


def test_a_virtual_environment_shows_up_where_people_make_them(stack: Stack, client: Client) -> None:
    places = {
        "home-work": "~/home-work/.venv",
        "deep": "/repositories/group/deep/venv",
        "flat": "/repositories/flat/env",
    }
    for place in places.values():
        make = f"python -m venv --without-pip --system-site-packages {place}"
        stack.shell(f"{make} && {kernel_in(place, 'python3')}")
    kernels = kernels_with(client, *(f"{name}-python3" for name in places))
    for name in places:
        assert kernels[f"{name}-python3"] == f"Python by hand [{name}]"
    assert client.run("import sys; print(sys.prefix)", "deep-python3") == "/repositories/group/deep/venv\n"


def test_a_project_s_files_become_its_kernel_with_one_command(stack: Stack, client: Client) -> None:
    asked = r"name: course\ndependencies:\n- python=3.13\n- pip\n"
    stack.shell("cd /repositories && mkdir listed described && echo cowsay >listed/requirements.txt")
    stack.shell(f"printf '{asked}' >/repositories/described/environment.yml")
    assert "JupyterLab's launcher" in stack.shell("cd /repositories/listed && workhorse kernel")
    assert "/home/workhorse/.conda/envs/course" in stack.shell("workhorse kernel /repositories/described")
    kernels_with(client, "listed-python3", "course-python3")
    assert client.run("import cowsay, sys; print(sys.prefix)", "listed-python3") == "/repositories/listed/.venv\n"
    assert client.run("import sys; print(sys.prefix)", "course-python3") == "/home/workhorse/.conda/envs/course\n"
    # Root's own line makes what is the person's.
    assert (
        "JupyterLab's launcher"
        in stack.compose("exec", "-T", KERNELS, "workhorse", "kernel", "/repositories/listed").stdout
    )
    assert stack.shell("find /repositories/listed ~/.conda -user root | head -3") == ""
    refused = stack.compose("exec", "-T", KERNELS, "workhorse", "kernel", "/repositories", check=False)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        1,
        "/repositories holds no file that describes an environment "
        "(environment.yml, uv.lock, requirements.txt, pyproject.toml).",
    )


def test_a_kernel_that_pip_installs_shows_up_and_the_default_one_stays_alone(stack: Stack, client: Client) -> None:
    # As `pip install -U ipykernel` and the kernels of other languages leave them.
    stack.shell(f"{kernel_in('~/venv', 'python3')} && {kernel_in('~/venv', 'other')}")
    kernels = kernels_with(client, "other")
    assert kernels["other"] == "Python by hand"
    assert [name for name in kernels if name.startswith("python3")] == ["python3"]
    assert kernels["python3"] == "Python 3"
    found = client.run("import os, sys; print(sys.prefix, os.environ['CONDA_PREFIX'])", "other")
    assert found == "/home/workhorse/venv /opt/conda/envs/default\n"
    stack.shell("rm -r ~/venv/share/jupyter")


def kernels_with(client: Client, *names: str) -> dict[str, str]:
    """The kernels on offer, once these are among them: a list is served for some seconds."""

    def look() -> dict[str, str] | None:
        found = client.kernel_names()
        return found if found.keys() >= set(names) else None

    return poll(look, wanted=f"the kernels {', '.join(names)}")


def kernel_in(environment: str, name: str, program: str = "python") -> str:
    """A command that leaves a kernel spec in an environment, as packages do."""
    spec = {"argv": [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    spec |= {"display_name": "Python by hand"}
    folder = f"{environment}/share/jupyter/kernels/{name}"
    return f"mkdir -p {folder} && echo '{json.dumps(spec)}' >{folder}/kernel.json"


def test_a_kernel_whose_python_is_not_here_is_left_out_and_told_once(stack: Stack, client: Client) -> None:
    venv = "/repositories/foreign/.venv"
    stack.shell(f"{kernel_in(venv, 'python3')} && mkdir {venv}/bin && ln -s /home/ada/uv/python3.12 {venv}/bin/python")
    reason = f"its Python, '{venv}/bin/python', leads to '/home/ada/uv/python3.12', which isn't in the container"
    told = poll(lambda: next((text for text in client.news() if "/foreign/" in text), None), 20, "the notice")
    assert reason in told
    assert "conda create -n foreign python ipykernel" in told
    assert "foreign-python3" not in client.kernel_names()
    assert_not_started(client, "foreign-python3")
    # Another one shows that the list was made anew since.
    stack.shell(kernel_in("/repositories/foreign/other/.venv", "python3"))
    poll(lambda: any("foreign/other" in text for text in client.news()) or None, 20, "the other's notice")
    assert told in client.news()
    assert stack.told(reason).count(reason) == 1
    stack.shell("rm -r /repositories/foreign")


def test_no_kernel_runs_in_the_server_s_python(stack: Stack, client: Client) -> None:
    stack.shell(f"{kernel_in('~/.local', 'bare')} && {kernel_in('~/.local', 'servers', '/opt/server/bin/python')}")
    kernels_with(client, "bare")
    assert client.run("import sys; print(sys.prefix)", "bare") == "/home/workhorse/venv\n"
    assert any("it would run in the server's own Python" in text for text in client.news())
    assert_not_started(client, "servers")
    stack.shell("rm -r ~/.local/share/jupyter/kernels/bare ~/.local/share/jupyter/kernels/servers")


def test_oddities_where_kernels_are_looked_for_hold_up_nobody(stack: Stack, client: Client) -> None:
    odd = "/repositories/odd/.venv/share/jupyter/kernels"
    stack.shell(f"mkdir -p {odd}/fifo {odd}/endless {odd}/wrong ~/.local/share/jupyter/kernels/big ~/.conda")
    stack.shell(f"mkfifo {odd}/fifo/kernel.json && ln -s /dev/zero {odd}/endless/kernel.json")
    stack.shell("truncate -s 4G ~/.local/share/jupyter/kernels/big/kernel.json && rm -f ~/.conda/environments.txt")
    stack.shell(
        f"""echo '{{"argv": ["sh"], "metadata": 5}}' >{odd}/wrong/kernel.json && mkfifo ~/.conda/environments.txt"""
    )
    places = ("fifo", "endless", "wrong", "big", "environments.txt")

    def are_all_told() -> bool | None:
        assert "python3" in client.kernel_names()
        log = stack.log()
        return all(re.search(f"{place}[^ ]* is left out: ", log) for place in places) or None

    poll(are_all_told, 20, "a line about each")
    assert client.run("print(1)") == "1\n"
    stack.shell("rm -r /repositories/odd ~/.local/share/jupyter/kernels/big ~/.conda/environments.txt")


def assert_not_started(client: Client, name: str) -> None:
    with pytest.raises(HTTPError):
        client.api("POST", "kernels", name=name)


def test_pip_installs_into_the_environment_of_the_kernel_or_nowhere(stack: Stack, client: Client) -> None:
    stack.shell("conda create -y -q -n other python=3.13 ipykernel")
    stack.shell(
        "conda create -y -q -n lean --no-default-packages python=3.13 ipykernel && rm -f ~/.conda/envs/lean/bin/pip*"
    )
    stack.shell("python -m venv --without-pip --system-site-packages ~/bare/venv")
    stack.shell(kernel_in("~/bare/venv", "python3"))
    kernels_with(client, "other-python3", "lean-python3", "bare-python3")
    places = {"python3": "/opt/conda/envs/default/", "other-python3": "/home/workhorse/.conda/envs/other/"}
    for kernel, place in places.items():
        assert f" from {place}" in client.run("!pip --version\n!pip3 --version", kernel)
    remedies = {
        "lean": "conda install -y -p /home/workhorse/.conda/envs/lean pip",
        "bare": "-m ensurepip --default-pip",
    }
    for name, remedy in remedies.items():
        said = client.run("!pip install --no-deps cowsay", f"{name}-python3")
        assert "has no pip. To give it one:" in said
        assert remedy in said
    # Where no kernel's environment is active, it is the default one's.
    assert "/opt/conda/envs/default/" in stack.shell(". ~/venv/bin/activate && pip --version")


def test_pip_with_user_goes_where_it_goes_without(stack: Stack, client: Client) -> None:
    said = client.run("!pip install -q --user --disable-pip-version-check --no-deps cowsay")
    assert said == "pip: without --user, which is not needed here: what you install is yours.\r\n"
    assert client.run("import cowsay; print(cowsay.__file__)").startswith("/home/workhorse/venv/")
    stack.shell("pip uninstall -y cowsay")


def test_environments_are_entered_and_left_by_conda_s_and_mamba_s_words(stack: Stack) -> None:
    stack.shell("mamba create -y -q -n tools python=3.13")
    where = "python -c 'import sys; print(sys.prefix)'"
    for program in ("conda", "mamba"):
        entered, left = stack.shell(
            f"{program} activate tools && {where} && {program} deactivate && {where} && {program} list >/dev/null"
        ).split()
        assert (entered, left) == ("/home/workhorse/.conda/envs/tools", "/home/workhorse/venv")
        installed = f"{program} activate tools && {program} install -y -q cowsay && {where} && python -m cowsay -t moo"
        assert entered in stack.shell(installed)
        for nowhere in ("true", f"{program} activate tools; {program} deactivate", f"{program} activate default"):
            assert "conda create -n mine python ipykernel" in failing(stack, f"{nowhere}; {program} install -y cowsay")
    with_n = stack.shell("conda install -y -q -n tools tqdm && conda list -n tools")
    assert "tqdm" in with_n


def test_conda_in_a_cell_says_what_to_do_instead(client: Client) -> None:
    assert "conda create -n mine python ipykernel" in client.run("!conda install -y cowsay")


@pytest.mark.parametrize("activated", ["conda activate default", "conda activate", "mamba activate"])
def test_pip_says_what_to_do_where_the_image_s_own_environment_is_active(stack: Stack, activated: str) -> None:
    said = failing(stack, f"{activated}; pip install --disable-pip-version-check cowsay")
    assert "This environment comes with the image" in said
    assert "conda deactivate" in said
    assert "Read-only file system" not in said


def failing(stack: Stack, script: str) -> str:
    """What a script says that ends with a failure."""
    result = stack.compose("exec", "-T", "-u", "1000", KERNELS, "bash", "-lc", script, check=False)
    assert result.returncode != 0, result.stdout
    return result.stdout + result.stderr


def test_terminals_read_what_a_person_has_for_them(stack: Stack, client: Client) -> None:
    stack.shell("conda init bash && echo 'MINE=kept; READ=${READ:-}+' >>~/.bashrc")
    terminal = client.api("POST", "terminals")["name"]
    answer = stack.repositories / "answer.txt"
    client.type_in(
        terminal, "{ echo $MINE $READ; command -v python; mamba activate; command -v python; } >answer.txt\r"
    )
    # Once, and base comes first only when it is asked for.
    wanted = "kept +\n/home/workhorse/venv/bin/python\n/opt/conda/bin/python\n"
    poll(lambda: (answer.exists() and answer.read_text() == wanted) or None, wanted="the terminal's answer")
    assert stack.shell("echo ${MINE:-none}") == "none\n"
    stack.shell("rm ~/.bashrc")


def test_the_image_s_own_environment_says_how_to_change_it(stack: Stack) -> None:
    result = stack.compose(
        "exec", "-T", "-u", "1000", KERNELS, "bash", "-lc", "conda install -y -p /opt/conda/envs/default cowsay",
        check=False,
    )  # fmt: skip
    assert result.returncode != 0
    assert "EnvironmentNotWritable" in result.stderr + result.stdout or "environment.yml" in result.stderr


def test_a_terminal_has_what_a_scientist_expects(stack: Stack) -> None:
    programs = ("git", "conda", "mamba", "pip", "nano", "make", "rsync", "htop", "tree", "git lfs")
    for command in (*(f"{program} --version" for program in programs), "zip -v", "unzip -v", "tmux -V", "ssh -V"):
        stack.shell(command)
    assert stack.shell("whoami").strip() == "workhorse"
    assert stack.shell("python -c 'import sys; print(sys.prefix)'").strip() == "/home/workhorse/venv"
    commit = "cd $(mktemp -d) && git init -q && git commit -q --allow-empty -m test && git log --format=%an"
    assert stack.shell(f"git config --global user.email me@example.org && {commit}").strip() == "Workhorse"


def test_a_new_file_of_the_terminal_belongs_to_the_person(stack: Stack) -> None:
    stack.shell("touch /repositories/by-terminal")
    assert (stack.repositories / "by-terminal").stat().st_uid == 1000 != os.getuid() or os.getuid() == 1000


# More than the network keeps, and than ZeroMQ does.
LINES = 20_000
PRINTING = f"""
import os, time
open('/repositories/waits', 'w')
while not os.path.exists('/repositories/go'):
    time.sleep(0.1)
with open('/repositories/printed', 'wb', 0) as printed:
    for n in range({LINES}):
        print(n, flush=True)
        printed.write(b'.')
"""


def test_a_cell_that_prints_while_the_server_is_busy_loses_no_line(stack: Stack, client: Client) -> None:
    kernel = client.start_kernel()
    request = kernel.send(PRINTING, cell="printing")
    # The server has heard of it only once it runs.
    poll(lambda: (stack.repositories / "waits").exists() or None, wanted="a cell that waits")
    # In brackets, or the shell would stop itself.
    server = "-f '[e]ntrypoint.kernels.server'"
    stack.shell(f"pkill -STOP {server}; touch /repositories/go")
    try:
        poll(partial(stands_still, stack.repositories / "printed"), seconds=2 * READY_SECONDS, wanted="all it can say")
    finally:
        stack.shell(f"pkill -CONT {server}")

    # Of the outputs Jupyter passes on so many a second; all that it says is its end, here.
    last: tuple[object, object] = None, None
    while last != (request, "idle"):
        said = kernel.receive(2 * READY_SECONDS)
        last = said["parent_header"].get("msg_id"), said["content"].get("execution_state")
    (run,) = client.api("GET", f"kernels/{kernel.id}/runs")["runs"]
    printed = "".join(each["text"] for each in run["outputs"])
    assert printed == "".join(f"{n}\n" for n in range(LINES))
    kernel.shut_down()


def stands_still(file: Path) -> bool | None:
    """Whether a file has begun, and grows no more for a second."""
    before = file.stat().st_size if file.exists() else 0
    time.sleep(1)
    return (file.exists() and 0 < file.stat().st_size == before) or None


# Where a kernel isn't there yet, ZeroMQ tries again after a tenth of a second: here after seconds.
LATE = """
import zmq
from entrypoint.kernels.manager import ExpendableKernel


def _load_jupyter_server_extension(app):
    hear = ExpendableKernel.hear

    def hear_late(self):
        self.context.sockopts[zmq.RECONNECT_IVL] = 3000
        try:
            hear(self)
        finally:
            del self.context.sockopts[zmq.RECONNECT_IVL]

    ExpendableKernel.hear = hear_late
"""


def test_a_cell_of_a_new_kernel_runs_once_the_recorder_hears_it(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    add_extension(stack, "late_recorder", LATE)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        kernel.send("for n in range(5): print(n, flush=True)", cell="first")
        (run,) = poll(lambda: ended_runs(client, kernel), wanted="the end of the cell")
        assert [each["text"] for each in run["outputs"]] == ["0\n1\n2\n3\n4\n"]


def ended_runs(client: Client, kernel: Kernel) -> list[dict[str, Any]]:
    runs: list[dict[str, Any]] = client.api("GET", f"kernels/{kernel.id}/runs")["runs"]
    return [run for run in runs if run["state"] == "ended"]
