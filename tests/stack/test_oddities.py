"""Pipes, and links to what never ends, in every place at once: the start goes on, and so does the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients import SECONDS, Client
from tests.conftest import PASSWORD
from tests.stacks import KERNELS, LAB, Stack

MakeStack = Callable[..., Stack]
STATE = (
    "layout password-hash password-in-log cookie-secret device-secret second-factor.json logins.json guesses.json "
    "open-logins.json last-backup installation.json jupyter_server_config.json tls/authority.pem tls/server.pem "
    "tls/attempts.json"
)
HOME = (
    "venv/pyvenv.cfg .jupyter/jupyter_server_config.py .jupyter/jupyter_server_config.json "
    ".jupyter/jupyter_server_config.d/zz.json .conda/environments.txt"
)
OF_A_PAGE = (
    ".jupyter/labconfig/page_config.json .jupyter/lab/workspaces/x-2d71.jupyterlab-workspace "
    ".jupyter/lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"
)
KERNEL = "/repositories/.venv/share/jupyter/kernels/python3/kernel.json"
RUNNING = "certificates.json own-certificate.json share-ca"
LAB_RUNNING, KERNELS_RUNNING = "jupyter_server_config.json", "kernels_server_config.json"
LAB_SOCKET, KERNELS_SOCKET = "/run/lab/socket", "/run/kernels/socket"
CLOSED = "for-root-s-eyes"


@pytest.mark.parametrize("oddity", ['mkfifo "$f"', 'ln -s /dev/zero "$f"'], ids=["pipe", "link to what never ends"])
def test_what_never_ends_holds_up_neither_a_start_nor_the_server(own_stack: MakeStack, oddity: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    plant = f'for f in $FILES; do mkdir -p "$(dirname "$f")"; rm -rf "$f"; {oddity}; done'
    stack.door_shell(f"cd /var/lib/workhorse; FILES='{STATE}'; {plant}", user="1000")
    stack.shell(f"cd; FILES='{HOME} {OF_A_PAGE} {KERNEL} {KERNELS_SOCKET}'; {plant}")
    stack.lab_shell(f"FILES='{LAB_SOCKET}'; {plant}")
    stack.compose("restart", "-t", "1")
    stack.up()
    assert "Traceback" not in stack.log()
    stack.door_shell(f"cd /run/workhorse/server; FILES='{RUNNING}'; {plant}", user="1000")
    stack.lab_shell(f"cd /run/workhorse/server; FILES='{LAB_RUNNING}'; {plant}")
    stack.shell(f"cd /run/workhorse/server; FILES='{KERNELS_RUNNING}'; {plant}")
    # What JupyterLab opens for each page.
    stack.shell(f"cd; FILES='{OF_A_PAGE}'; {plant}")
    stack.workhorse("status")
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        assert client.run("print(6 * 7)") == "42\n"
        assert client.api("GET", "kernelspecs")["kernelspecs"]
        for path in ("lab", "lab/api/settings", "lab/api/workspaces"):
            assert client.session.get(f"{stack.url}/{path}", timeout=SECONDS).status_code == 200
    assert stack.shell("grep -c '^home' ~/venv/pyvenv.cfg").strip() == "1"
    assert "Traceback" not in stack.log()


def test_nothing_of_a_file_of_root_s_goes_through_a_link_to_it(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    closed = stack.certificates / "closed.json"
    closed.write_text(f'{{"ServerApp": {{"custom_display_url": "{CLOSED}"}}}}')
    closed.chmod(0o600)
    # As the door has it, for a person who gives the folder to the others too.
    override = "".join(f"  {each}: {{volumes: [./certificates:/certificates:ro]}}\n" for each in (LAB, KERNELS))
    (stack.folder / "docker-compose.override.yml").write_text(f"services:\n{override}")
    stack.up()
    plant = 'for f in $FILES; do mkdir -p "$(dirname "$f")"; rm -rf "$f"; ln -s /certificates/closed.json "$f"; done'
    stack.door_shell(f"cd /var/lib/workhorse; FILES='{STATE}'; {plant}", user="1000")
    stack.shell(f"cd; FILES='{HOME} {OF_A_PAGE} {KERNEL}'; {plant}")
    assert CLOSED in stack.shell("cat /certificates/closed.json", user="0")
    stack.compose("restart", "-t", "1")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        for path in ("lab", "lab/api/settings", "lab/api/workspaces", "api/kernelspecs"):
            answer = client.session.get(f"{stack.url}/{path}", timeout=SECONDS)
            assert (answer.status_code, CLOSED in answer.text) == (200, False)
    assert CLOSED not in stack.log() + stack.workhorse("status")
    look = f"grep -rlsI {CLOSED} /var/lib/workhorse /home/workhorse /run/workhorse /tmp /repositories || true"
    assert (stack.door_shell(look, user="1000"), stack.lab_shell(look), stack.shell(look)) == ("", "", "")
