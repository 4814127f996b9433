"""What runs kernels costs next to nothing until somebody asks for something, and then nobody is lost."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bench.memory import read_memory
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

WAITING, SERVING = "-m entrypoint.kernels.waiting", "-m entrypoint.kernels.server"
# Its Python, and the reaper of orphans; a server takes 42.
MEBIBYTES_MAX = 10
AT_ONCE = 30


def runs(stack: Stack) -> str:
    """Which of the two it is; they are one process."""
    return stack.shell("tr '\\0' ' ' <\"/proc/$(pgrep -P 1 -f entrypoint.kernels)/cmdline\"")


@pytest.fixture
def waiting(own_stack: Callable[..., Stack]) -> Iterator[tuple[Stack, Client]]:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        yield stack, client


def test_health_checks_and_logins_wake_nobody(waiting: tuple[Stack, Client]) -> None:
    stack, client = waiting
    checked = stack.kernels.attrs["State"]["Health"]["Log"][-1]["Start"]
    poll(lambda: stack.kernels.attrs["State"]["Health"]["Log"][-1]["Start"] != checked or None, 60, "another check")
    assert stack.kernels.attrs["State"]["Health"]["Status"] == "healthy"
    assert client.is_logged_in()
    assert WAITING in runs(stack)
    assert read_memory(stack.kernels) < MEBIBYTES_MAX


def test_all_who_ask_first_are_answered(waiting: tuple[Stack, Client]) -> None:
    stack, client = waiting

    def ask(_: int) -> requests.Response:
        cookies, authority = client.session.cookies, str(client.authority)
        return requests.get(f"{stack.url}/api/kernelspecs", cookies=cookies, verify=authority, timeout=60)

    with ThreadPoolExecutor(AT_ONCE) as beside:
        assert [answer.status_code for answer in beside.map(ask, range(AT_ONCE))] == [200] * AT_ONCE
    assert SERVING in runs(stack)


def test_a_first_question_that_can_t_be_asked_again_is_answered(waiting: tuple[Stack, Client]) -> None:
    assert waiting[1].run("print(6 * 7)") == "42\n"


def test_a_page_wakes_the_server_that_it_will_ask_next(waiting: tuple[Stack, Client]) -> None:
    stack, client = waiting
    assert client.session.get(f"{stack.url}/lab", headers={"Accept": "text/html"}, timeout=60).status_code == 200
    poll(lambda: SERVING in runs(stack) or None, wanted="the server")


def test_a_stop_ends_one_that_waits_at_once(waiting: tuple[Stack, Client]) -> None:
    stack, _ = waiting
    stack.compose("stop", "kernels")
    assert stack.kernels.attrs["State"]["ExitCode"] == 0


# The server as it is in the image, on a socket of its own, and with seconds in the place of minutes.
IMPATIENT = """
import socket, sys
from pathlib import Path
from entrypoint.kernels import rest, server, waiting
rest.IDLE_SECONDS = 3.0
path = Path("/tmp/impatient/socket")
path.parent.mkdir()
listener = waiting.listening(str(path))
waiting.os.mknod(path.parent / waiting.AWAKE)
config = "/run/workhorse/server/kernels_server_config.json"
again = [waiting.WAITING, config, str(path), waiting.LISTENER + str(listener.fileno())]
server.main(Path(config), listener, again)
"""
TOKEN = "-H X-XSRFToken:abcdef0123456789abcdef0123456789 -b _xsrf=abcdef0123456789abcdef0123456789"
ASK = f"curl -s --max-time 30 {TOKEN} --unix-socket /tmp/impatient/socket http://localhost{{}} {{}}"


def test_a_server_that_has_come_to_rest_waits_again_and_whoever_comes_is_answered(
    waiting: tuple[Stack, Client],
) -> None:
    stack, _ = waiting
    start = f"cat >/tmp/impatient.py <<'END'\n{IMPATIENT}\nEND\n"
    environment = "JUPYTER_RUNTIME_DIR=/run/workhorse/server/jupyter"
    stack.shell(f"{start}{environment} nohup /opt/server/bin/python -I /tmp/impatient.py >/tmp/log 2>&1 &")
    pid = stack.shell("pgrep -f '[p]ython -I /tmp/impatient.py'").split()[0]

    def is_now(module: str) -> bool | None:
        return module in stack.shell(f"tr '\\0' ' ' </proc/{pid}/cmdline") or None

    def new_kernel() -> str | None:
        answer = stack.shell(ASK.format("/api/kernels", "-X POST"), check=False)
        return str(json.loads(answer)["id"]) if answer else None

    kernel = poll(new_kernel, wanted="a kernel")
    limit = stack.shell("grep 'open files' /proc/$(pgrep -f '[i]pykernel')/limits")
    # Longer than an idle server would go on.
    age = "ps -o etimes= -p $(pgrep -f '[i]pykernel')"
    poll(lambda: int(stack.shell(age)) > 10 or None, wanted="a kernel that is some seconds old")
    assert not is_now(WAITING)

    stack.shell(ASK.format(f"/api/kernels/{kernel}", "-X DELETE"))
    poll(lambda: is_now(WAITING), wanted="a server at rest")
    poll(lambda: stack.shell("ls /tmp/impatient") == "socket\n" or None, wanted="a server that waits")
    again = new_kernel()
    assert stack.shell("ls /tmp/impatient") == "awake\nsocket\n"
    assert is_now(SERVING)
    assert stack.shell("grep 'open files' /proc/$(pgrep -f '[i]pykernel')/limits") == limit
    stack.shell(ASK.format(f"/api/kernels/{again}", "-X DELETE"))
