"""Pipes, and links to what never ends, in every place at once: the start goes on, and so does the server."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients import SECONDS, Client
from tests.conftest import PASSWORD
from tests.stacks import Stack

STATE = (
    "layout password-hash password-in-log cookie-secret device-secret second-factor.json logins.json guesses.json "
    "installation.json jupyter_server_config.json tls/authority.pem tls/server.pem tls/attempts.json"
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
RUNNING, LAB_RUNNING = "certificates.json own-certificate.json share-ca", "jupyter_server_config.json"
SOCKET = "/run/lab/socket"


@pytest.mark.parametrize("oddity", ['mkfifo "$f"', 'ln -s /dev/zero "$f"'], ids=["pipe", "link to what never ends"])
def test_what_never_ends_holds_up_neither_a_start_nor_the_server(own_stack: Callable[..., Stack], oddity: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    plant = f'for f in $FILES; do mkdir -p "$(dirname "$f")"; rm -rf "$f"; {oddity}; done'
    stack.door_shell(f"cd /var/lib/workhorse; FILES='{STATE}'; {plant}", user="1000")
    stack.shell(f"cd; FILES='{HOME} {OF_A_PAGE} {KERNEL} {SOCKET}'; {plant}")
    stack.compose("restart", "-t", "1")
    stack.up()
    assert "Traceback" not in stack.log()
    stack.door_shell(f"cd /run/workhorse/server; FILES='{RUNNING}'; {plant}", user="1000")
    stack.shell(f"cd /run/workhorse/server; FILES='{LAB_RUNNING}'; {plant}")
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
