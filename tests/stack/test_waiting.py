"""What runs kernels costs next to nothing until somebody asks for something, and then nobody is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from bench.memory import read_memory
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

WAITING, SERVING = "entrypoint.kernels.waiting", "entrypoint.kernels.server"
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
