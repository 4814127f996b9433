"""Servers that are stopped, stand still or talk nonsense: who asks is told, and the door's own answers come at once."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import requests

from entrypoint.proxy.upstreams import WAIT_SECONDS
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.false_lab import KINDS
from tests.guesses import WRONG, visitor
from tests.other_labs import BEHIND, in_their_place, standing_still
from tests.stack.test_fuzz import server_memory
from tests.stacks import KERNELS, LAB, Stack, poll

# What a busy machine may take beyond the wait.
SLACK_SECONDS = 5.0
PAGE = {"Accept": "text/html,application/xhtml+xml", "Sec-Fetch-Mode": "navigate"}
WRONG_AND_REMEDY = {
    LAB: ("JupyterLab doesn't answer", "docker compose logs lab"),
    KERNELS: ("What runs your kernels doesn't answer", "docker compose logs kernels"),
}
# One of each one's.
PATHS = {LAB: "/lab", KERNELS: "/api/kernels"}
MEGABYTE = 2**20
AT_ONCE = 10


@contextmanager
def stopped(stack: Stack) -> Iterator[None]:
    stack.compose("stop", "-t", "1", *BEHIND)
    try:
        yield
    finally:
        stack.up()


def open_page(client: Client, path: str = "/lab") -> requests.Response:
    return client.session.get(f"{client.url}{path}", headers=PAGE, timeout=WAIT_SECONDS + 30, allow_redirects=False)


def seconds_of(step: Callable[[], object]) -> float:
    began = time.monotonic()
    step()
    return time.monotonic() - began


def log_in_and_out(stack: Stack, authority: Path) -> None:
    """Everything that the door answers by itself, of a browser that is new."""
    with visitor(stack, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        assert client.session.get(f"{stack.url}/health", timeout=5).status_code == 200
        assert client.session.get(f"{stack.url}/logout", timeout=5).status_code == 200
    with visitor(stack, authority) as stranger:
        assert stranger.login(WRONG).status_code in (401, 429)


def test_who_asks_a_stopped_lab_waits_and_reads_what_is_wrong_and_what_to_do(stack: Stack, client: Client) -> None:
    with stopped(stack), ThreadPoolExecutor(2) as beside:
        began = time.monotonic()
        page, script = beside.submit(open_page, client), beside.submit(ask_for_kernels, stack, client)
        answers = [page.result(), script.result()]
        assert WAIT_SECONDS - 1 < time.monotonic() - began < WAIT_SECONDS + SLACK_SECONDS
    for answer in answers:
        assert answer.status_code == 503
        assert "Traceback" not in answer.text
    told = (html.unescape(answers[0].text), answers[1].json()["message"])
    for text, parts in zip(told, WRONG_AND_REMEDY.values(), strict=True):
        assert not [part for part in parts if part not in text]
    # The page comes back by itself, and none of it is kept.
    assert int(answers[0].headers["Refresh"]) <= WAIT_SECONDS
    assert answers[0].headers["Cache-Control"] == "no-store"
    assert "text/html" in answers[0].headers["Content-Type"]


def ask_for_kernels(stack: Stack, client: Client) -> requests.Response:
    """As a page's script does, by a connection of its own."""
    cookies = client.session.cookies
    return requests.get(f"{stack.url}{PATHS[KERNELS]}", cookies=cookies, verify=str(client.authority), timeout=60)


def test_who_waits_for_a_lab_that_comes_back_is_answered(stack: Stack, client: Client) -> None:
    with ThreadPoolExecutor(1) as beside:
        with stopped(stack):
            asked = beside.submit(open_page, client)
            poll(lambda: asked.running() or None, wanted="the question")
            stack.compose("start", "lab")
        assert asked.result().status_code == 200
    assert "JupyterLab" in open_page(client).text


def test_who_asks_a_busy_lab_waits_without_an_error(stack: Stack, client: Client) -> None:
    with ThreadPoolExecutor(1) as beside:
        with standing_still(stack):
            asked = beside.submit(open_page, client)
            poll(lambda: asked.running() or None, wanted="the question")
            log_in_and_out(stack, client.authority)
        assert asked.result().status_code == 200


STATES: dict[str, Callable[[Stack], AbstractContextManager[None]]] = {
    "stopped": stopped,
    "standing still": standing_still,
    **{kind: lambda stack, kind=kind: in_their_place(stack, kind) for kind in KINDS if kind != "noting"},  # type: ignore[misc]
}

# None of these answers, or tells whoever waits that it won't.
WITHOUT_A_WORD = ("stopped", "standing still", "silent", "slow")


@pytest.mark.parametrize("state", STATES)
def test_the_login_answers_while_others_wait_whatever_the_lab_does(
    stack: Stack, authority: Path, client: Client, state: str
) -> None:
    memory = server_memory(stack)
    # Those who wait are answered at the latest once JupyterLab is back.
    with ThreadPoolExecutor(AT_ONCE) as beside, STATES[state](stack):
        asked = [beside.submit(swallow, stack, client, path) for _ in range(AT_ONCE // 2) for path in PATHS.values()]
        poll(lambda: all(each.running() or each.done() for each in asked) or None, wanted="the questions")
        for _ in range(3):
            log_in_and_out(stack, authority)
        if state in WITHOUT_A_WORD:
            assert not any(each.done() for each in asked)
        assert seconds_of(lambda: stack.workhorse("status")) < 20
        assert "The server answers." in stack.workhorse("healthcheck")
    # Those who asked are answered once Jupyter is back, or were told; whatever was said to them is forgotten.
    poll(lambda: client.is_logged_in() or None, wanted="JupyterLab's answer")
    poll(lambda: client.api("GET", "kernels") == [] or None, wanted="the kernels' server's answer")
    assert server_memory(stack) - memory < 32 * MEGABYTE
    assert "Traceback" not in stack.door_log()


def swallow(stack: Stack, client: Client, path: str) -> int | None:
    """Asks for something, whatever comes of it."""
    cookies = client.session.cookies
    try:
        return requests.get(f"{stack.url}{path}", cookies=cookies, verify=str(client.authority), timeout=60).status_code
    except requests.RequestException:
        return None


@pytest.mark.parametrize("service", BEHIND)
@pytest.mark.parametrize("kind", ["closing", "garbage", "endless", "one_line"])
def test_nonsense_is_told_at_once_and_none_of_it_comes_through(
    stack: Stack, client: Client, kind: str, service: str
) -> None:
    with in_their_place(stack, kind):
        began = time.monotonic()
        answer = open_page(client, PATHS[service])
        # Or it had been waited for as for a server that is away.
        assert time.monotonic() - began < WAIT_SECONDS
    assert answer.status_code == 502
    assert f"docker compose logs {service}" in answer.text
    assert len(answer.content) < 10_000
    assert "X-Header" not in answer.headers


def test_the_status_tells_of_absent_kernels_and_how_to_look(stack: Stack) -> None:
    with stopped(stack):
        status = stack.workhorse("status")
    assert "docker compose logs kernels" in status
