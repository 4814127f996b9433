"""Two worlds that can't break each other: the server's environment and the scientist's."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Callable, Iterator

import docker
import pytest

from entrypoint.home.labextensions import OF_THE_LAB
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import IMAGE, KERNELS_IMAGE, LAB_IMAGE, Stack

BROKEN = f"workhorse-test-broken-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def broken_image() -> Iterator[str]:
    """The kernels' image with the default kernel's environment broken on purpose."""
    dockerfile = f"FROM {KERNELS_IMAGE}\nRUN rm -r /opt/conda/envs/default/lib/python3.13/site-packages/tornado\n"
    subprocess.run(["docker", "build", "-q", "-t", BROKEN, "-"], input=dockerfile, text=True, check=True)
    yield BROKEN
    subprocess.run(["docker", "rmi", "-f", BROKEN], check=True, capture_output=True)


def test_a_broken_default_kernel_leaves_the_server_and_is_named(
    own_stack: Callable[..., Stack], broken_image: str
) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.override("kernels", f"image: {broken_image}")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        client.api("POST", "kernels", name="python3")
        stack.told("The kernel 'Python 3' does not start. It belongs to /opt/conda/envs/default")
        stack.told("No module named 'tornado'")
        assert client.api("GET", "contents")["type"] == "directory"
        assert client.session.get(f"{stack.url}/lab", timeout=30).status_code == 200


def test_the_server_is_not_on_the_path_and_not_writable(stack: Stack) -> None:
    assert "/opt/server" not in stack.shell("echo $PATH; which -a python python3 jupyter || true")
    assert stack.shell("test -w /opt/server/lib || echo closed") == "closed\n"
    assert stack.shell("stat -c %u /opt/server/bin/python", user="0") == "0\n"


def test_what_pip_puts_into_a_home_never_reaches_the_server(stack: Stack) -> None:
    stack.shell("mkdir -p ~/.local/lib/python3.13/site-packages && echo 'raise SystemExit(3)' "
                "> ~/.local/lib/python3.13/site-packages/tornado.py")  # fmt: skip
    stack.compose("restart", "lab", "kernels")
    stack.up()
    stack.shell("rm -r ~/.local/lib/python3.13")


COMPILED = """
test -z "$(find /opt/server/lib/python3.13/site-packages/tornado -name '*.py' | while read -r f; do
  d=$(dirname "$f")/__pycache__; ls "$d/$(basename "$f" .py)".*.pyc >/dev/null || echo "$f"; done)"
for place in /root/.cache /opt/conda/pkgs /var/lib/apt/lists /run/secrets /tmp; do
  test -z "$(ls -A $place 2>/dev/null)" || { echo "$place is not empty:"; ls -A $place; }
done
for folder in $(find /opt/workhorse/entrypoint -name '*.py' -printf '%h\\n' | sort -u); do
  test "$(ls $folder/*.py | wc -l)" = "$(ls $folder/__pycache__/*.pyc | wc -l)" || echo "$folder is not compiled"; done
"""
COMPILED_WORLD = """
cd /opt/conda/envs/default/lib/python3.13/site-packages
for package in numpy pandas IPython; do
  test -n "$(find $package -name '*.py' | head -n 1)"
  find $package -name '*.py' | while read -r f; do
    name=${f##*/}; compgen -G "${f%/*}/__pycache__/${name%.py}.*.pyc" >/dev/null || echo "$f is not compiled"; done
done
"""


def run_in(image: str, script: str) -> subprocess.CompletedProcess[str]:
    command = ["docker", "run", "--rm", "--entrypoint", "/bin/bash", image, "-euc", script]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def rooms_of(image: str) -> set[str]:
    return set(run_in(image, "cd /opt/workhorse/entrypoint; printf '%s\\n' */ | grep -v __pycache__").stdout.split())


def test_each_image_holds_its_own_rooms_alone() -> None:
    assert rooms_of(IMAGE) & rooms_of(LAB_IMAGE) == {"backup/", "files/", "settings/", "system/"}
    assert {"door/", "login/", "certificates/", "proxy/"} <= rooms_of(IMAGE)
    assert rooms_of(LAB_IMAGE) - rooms_of(KERNELS_IMAGE) == {"lab/"}
    assert {"kernels/", "home/"} <= rooms_of(KERNELS_IMAGE)


IMPORT_ALL = """
import importlib, pkgutil, sys, entrypoint
found = [each.name for each in pkgutil.walk_packages(entrypoint.__path__, "entrypoint.") if "__main__" not in each.name]
for name in found:
    importlib.import_module(name)
print(len(found), *sorted({name.split(".")[0] for name in sys.modules}))
"""


@pytest.mark.parametrize("image", [IMAGE, LAB_IMAGE, KERNELS_IMAGE], ids=["door", "lab", "kernels"])
def test_every_module_finds_what_it_needs_in_its_own_image(image: str) -> None:
    result = run_in(image, f"/opt/server/bin/python -I -c '{IMPORT_ALL}'")
    assert result.returncode == 0, result.stderr
    count, *imported = result.stdout.split()
    assert int(count) > 30
    # What reads secrets runs none of Jupyter's code, and what runs Jupyter's reads no certificate.
    others = {"jupyter_server", "jupyterlab", "jupyter_client"} if image == IMAGE else {"certbot", "cryptography"}
    assert not others & set(imported)


EXTENSIONS = """
import json, pathlib, sys
for file in pathlib.Path(sys.prefix, "etc/jupyter/jupyter_server_config.d").glob("*.json"):
    print(*json.loads(file.read_text())["ServerApp"]["jpserver_extensions"], sep="\\n")
"""


def test_what_the_lab_alone_loads_is_not_taken_for_missing() -> None:
    asked, there = (
        set(run_in(image, f"/opt/server/bin/python -I -c '{EXTENSIONS}'").stdout.split())
        for image in (LAB_IMAGE, KERNELS_IMAGE)
    )
    assert asked - there == OF_THE_LAB - {"notebook_shim"}


SELDOM_USED = """
import sys, entrypoint.lab.server
print("urllib3" in sys.modules)
import requests
print(requests.get.__name__, "urllib3" in sys.modules)
"""


def test_the_lab_loads_what_it_seldom_uses_once_it_is_used() -> None:
    result = run_in(LAB_IMAGE, f"/opt/server/bin/python -I -c '{SELDOM_USED}'")
    assert result.stdout.splitlines() == ["False", "get True"], result.stderr


def test_the_door_s_image_holds_nothing_of_jupyter_s() -> None:
    named = ("-iname '*jupyter*'", "-iname 'ipykernel*'", "-path /opt/conda/envs/default")
    # The stand-in base's packages that nobody installs; and a part of pip's own.
    left_out = "-path /opt/channels -prune -o -path '*/pip/_vendor' -prune"
    assert run_in(IMAGE, f"find / -xdev {left_out} -o \\( {' -o '.join(named)} \\) -print").stdout == ""


@pytest.mark.parametrize(
    ("image", "script"),
    [(IMAGE, COMPILED), (LAB_IMAGE, COMPILED + COMPILED_WORLD), (KERNELS_IMAGE, COMPILED + COMPILED_WORLD)],
    ids=["door", "lab", "kernels"],
)
def test_bytecode_is_compiled_and_caches_stay_out_of_the_image(image: str, script: str) -> None:
    result = run_in(image, script)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


@pytest.mark.parametrize("image", [IMAGE, LAB_IMAGE, KERNELS_IMAGE], ids=["door", "lab", "kernels"])
def test_the_image_says_what_it_is(image: str) -> None:
    client = docker.from_env()
    labels = client.images.get(image).labels
    client.close()
    for name in ("title", "description", "version", "source", "licenses"):
        assert labels[f"org.opencontainers.image.{name}"]


def test_personal_settings_apply_and_env_wins(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.shell("mkdir -p ~/.jupyter/jupyter_server_config.d && cd ~/.jupyter/jupyter_server_config.d && "
                """echo '{"ServerApp": {"port": 9999, "base_url": "/my", "certfile": "/x.pem", """
                """"allow_unauthenticated_access": true, """
                """"tornado_settings": {"websocket_max_message_size": 20000000}}, """
                """"MappingKernelManager": {"default_kernel_name": "mine"}, """
                """"PasswordIdentityProvider": {"hashed_password": ""}}' > mine.json""")  # fmt: skip
    stack.compose("restart", "lab", "kernels")
    stack.up()
    stack.told("ServerApp.port in ~/.jupyter/jupyter_server_config.d is overruled")
    stack.told("ServerApp.base_url in", "ServerApp.certfile in")
    with Client(stack.url, stack.authority()) as client:
        assert client.login("").status_code == 401
        assert client.login(PASSWORD).status_code == 302
        assert client.api("GET", "kernelspecs")["default"] == "mine"
        # Tornado's own limit is 10 MiB.
        assert client.start_kernel("python3").run(f"print(len('{'x' * 12_000_000}'))") == "12000000\n"


def test_files_that_a_person_s_jupyter_config_sets_do_not_open_the_door(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.shell("""mkdir -p ~/.jupyter && echo '{"IdentityProvider": {"token": "open"}, "PasswordIdentityProvider": """
                """{"hashed_password": ""}}' > ~/.jupyter/jupyter_server_config.json""")  # fmt: skip
    stack.compose("restart", "lab", "kernels")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.session.get(f"{stack.url}/api/status?token=open", timeout=30).status_code == 403
        assert client.login(PASSWORD).status_code == 302
