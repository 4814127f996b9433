"""Visits over a slow line, by Chromium with its own throttling: what they cost, and how long they take."""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from playwright.sync_api import Browser, BrowserContext, CDPSession, Page, sync_playwright

from bench.contestants import PEER_TOKEN, peer, run_inside, workhorse
from bench.guessing import login_cookies
from bench.login_page import HOST, start
from bench.login_page import Page as Ready
from bench.spread import Comparison, Spread
from bench.table import comparison_table
from tests.browser.conftest import DESKTOP, import_authority, launch
from tests.stacks import Stack

# Of each kind: a visit takes up to half a minute.
VISITS = 3
MILLISECONDS = 180_000
NOTEBOOK = "first-cell.ipynb"
ANSWER = "the first cell has run"
CELL: dict[str, object] = {"cell_type": "code", "id": "first", "metadata": {}, "outputs": [], "execution_count": None}
CONTENT: dict[str, object] = {
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
    "nbformat": 4,
}
CONTENT |= {"nbformat_minor": 5, "cells": [CELL | {"source": f"print({ANSWER!r}.upper().lower())"}]}


@dataclass(frozen=True)
class Line:
    """A line as a person has it."""

    megabits: float
    milliseconds: float

    @property
    def name(self) -> str:
        return f"{self.megabits:g} Mbit/s {self.milliseconds:g} ms"


LINES = (Line(5, 60), Line(2, 100))


@dataclass(frozen=True)
class Site:
    """A server with a notebook, and what a browser needs to come in."""

    url: str
    cookies: str = ""
    query: str = "reset"

    def address(self, path: str) -> str:
        return f"{self.url}{path}?{self.query}"


@dataclass
class Visit:
    """What one cost."""

    megabytes: float = 0
    requests: float = 0
    seconds: float = 0


def visit(context: BrowserContext, line: Line, site: Site, runs_a_cell: bool) -> Visit:
    """Opens JupyterLab, in a new tab, up to its launcher or to what a notebook's first cell prints."""
    page, cost = context.new_page(), Visit()
    page.set_default_timeout(MILLISECONDS)
    throttle(context.new_cdp_session(page), line, cost)
    began = time.perf_counter()
    page.goto(site.address(f"/lab/tree/{NOTEBOOK}" if runs_a_cell else "/lab"))
    if runs_a_cell:
        run_first_cell(page)
    else:
        wait_until(page, "document.querySelector('.jp-Launcher-section')?.checkVisibility()")
    cost.seconds = time.perf_counter() - began
    page.wait_for_load_state("networkidle")
    page.close()
    return cost


def run_first_cell(page: Page) -> None:
    go_to_first_cell(page)
    page.keyboard.press("Shift+Enter")
    wait_until(page, f"document.querySelector('.jp-OutputArea-output')?.textContent.trim() === {ANSWER!r}")


def go_to_first_cell(page: Page) -> None:
    page.locator(".jp-Notebook .jp-Cell .cm-content").first.click()
    wait_until(page, "document.querySelector('#jp-main-statusbar')?.textContent.includes('| Idle')")


def wait_until(page: Page, condition: str) -> None:
    """Asks at each frame: Playwright's `expect` ends at once a second, which is as long as some of what is measured."""
    page.wait_for_function(condition, polling="raf")


def throttle(session: CDPSession, line: Line, cost: Visit) -> None:
    def count(event: Any) -> None:
        cost.megabytes += event["encodedDataLength"] / 1e6
        cost.requests += event["encodedDataLength"] > 0

    session.on("Network.loadingFinished", count)
    session.send("Network.enable")
    bytes_per_second = line.megabits * 1e6 / 8
    conditions = {"offline": False, "latency": line.milliseconds, "connectionType": "none"}
    conditions |= {"downloadThroughput": bytes_per_second, "uploadThroughput": bytes_per_second}
    session.send("Network.emulateNetworkConditions", conditions)


@contextmanager
def context_of(browser: Browser, site: Site, **options: Any) -> Iterator[BrowserContext]:
    """A browser that has never been here, but for its login."""
    context = browser.new_context(viewport=DESKTOP, **options)
    pairs = (each.partition("=") for each in site.cookies.split("; ") if each)
    for name, _, value in pairs:
        context.add_cookies([{"name": name, "value": value, "url": site.url}])
    try:
        yield context
    finally:
        context.close()


@contextmanager
def our_site(
    content: dict[str, object] = CONTENT, prepare: Callable[[Stack], None] = lambda _: None
) -> Iterator[tuple[Site, Path]]:
    """Workhorse with a notebook, and its authority.

    Args:
        prepare: Changes the stack before it starts.
    """
    with workhorse() as stack:
        (stack.repositories / NOTEBOOK).write_text(json.dumps(content))
        prepare(stack)
        stack.up()
        url, authority = f"https://localhost:{stack.port}", stack.authority()
        yield Site(url, login_cookies(url, authority)), authority


@contextmanager
def their_site(
    client: docker.DockerClient, content: dict[str, object] = CONTENT, options: tuple[str, ...] = ()
) -> Iterator[Site]:
    with peer(client, *options) as (container, port):
        start((container,), Ready(port))
        write_notebook(container, content)
        yield Site(f"http://{HOST}:{port}", query=f"token={PEER_TOKEN}&reset")


def write_notebook(container: Container, content: dict[str, object] = CONTENT) -> None:
    code = f"open({f'/root/{NOTEBOOK}'!r}, 'w').write({json.dumps(content)!r})"
    run_inside(container, ["/opt/peer/bin/python", "-c", code])


def visits(client: docker.DockerClient) -> list[Comparison]:
    """Of each line: first and second visits, to the launcher and to a cell; the second untrusted, too."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, authority = stack.enter_context(our_site())
        theirs = stack.enter_context(their_site(client))
        import_authority(authority, folder)
        playwright = stack.enter_context(sync_playwright())
        browser = stack.enter_context(launch(playwright, folder))
        stranger = stack.enter_context(launch(playwright, folder / "stranger"))
        return [each for line in LINES for each in of_line(browser, stranger, line, ours, theirs)]


def of_line(browser: Browser, stranger: Browser, line: Line, ours: Site, theirs: Site) -> Iterator[Comparison]:
    for what, runs_a_cell in (("launcher", False), ("first cell", True)):
        rounds = [
            [first_and_second(browser, line, site, runs_a_cell) for site in (ours, theirs)] for _ in range(VISITS)
        ]
        for number, name in enumerate(("first", "second")):
            title = f"{line.name}, {name} visit to the {what}"
            yield from compare(title, [[side[number] for side in each] for each in rounds], number == 0)
    # As after a warning that was clicked away, beside the peer's second, which is cached.
    strangers = [
        [second_untrusted(stranger, line, ours), first_and_second(browser, line, theirs, False)[1]]
        for _ in range(VISITS)
    ]
    yield from compare(f"{line.name}, second visit untrusted, launcher", strangers, False)


def first_and_second(browser: Browser, line: Line, site: Site, runs_a_cell: bool) -> tuple[Visit, Visit]:
    with context_of(browser, site) as context:
        return visit(context, line, site, runs_a_cell), visit(context, line, site, runs_a_cell)


def second_untrusted(stranger: Browser, line: Line, site: Site) -> Visit:
    with context_of(stranger, site, ignore_https_errors=True) as context:
        visit(context, line, site, False)
        return visit(context, line, site, False)


def compare(title: str, rounds: list[list[Visit]], has_aims: bool) -> Iterator[Comparison]:
    for unit, name, aim in (("MB", "megabytes", "<= 0.25"), ("requests", "requests", ""), ("s", "seconds", "<= 0.4")):
        ours, theirs = (Spread(tuple(getattr(each[side], name) for each in rounds)) for side in (0, 1))
        yield Comparison(title, unit, ours, theirs, aim if has_aims else "", 0 if unit == "requests" else 2)


if __name__ == "__main__":
    print(comparison_table(visits(docker.from_env())))
