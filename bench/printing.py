"""Much text over a slow line: a cell prints megabytes, in a page that shows them."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

import docker
from playwright.sync_api import Browser, sync_playwright

from bench.round_trips import UNLIMITED, lift_limits
from bench.spread import Comparison, interleave
from bench.table import comparison_table
from bench.visits import (
    CELL,
    CONTENT,
    LINES,
    MILLISECONDS,
    NOTEBOOK,
    Line,
    Site,
    Visit,
    context_of,
    go_to_first_cell,
    our_site,
    their_site,
    throttle,
    wait_until,
)
from tests.browser.conftest import import_authority, launch

RUNS = 3
MEGABYTES = 10
END = "all is printed"
# Lines of 80 characters as a log has them: figures of which each is another, and words.
PRINTING = f"""import random
line = lambda n: f'{{n:8}}' + ''.join(f'{{random.random():9.6f}}' for _ in range(7)) + ' batch ok'
for _ in range({MEGABYTES}):
    print(*map(line, range(12_500)), sep='\\n', flush=True)
print({END!r})"""
PRINTS = CONTENT | {"cells": [CELL | {"source": PRINTING}]}


def seconds_of_text(browser: Browser, site: Site, line: Line) -> float:
    """From running the cell until its last line is in the page."""
    with context_of(browser, site) as context:
        page = context.new_page()
        page.set_default_timeout(MILLISECONDS)
        page.goto(site.address(f"/lab/tree/{NOTEBOOK}"))
        go_to_first_cell(page)
        throttle(context.new_cdp_session(page), line, Visit())
        began = time.perf_counter()
        page.keyboard.press("Shift+Enter")
        wait_until(page, f"document.querySelector('.jp-OutputArea')?.textContent.endsWith({END + chr(10)!r})")
        return time.perf_counter() - began


def printing(client: docker.DockerClient) -> list[Comparison]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        ours, authority = stack.enter_context(our_site(PRINTS, lift_limits))
        theirs = stack.enter_context(their_site(client, PRINTS, UNLIMITED))
        import_authority(authority, folder)
        browser = stack.enter_context(launch(stack.enter_context(sync_playwright()), folder))
        line = LINES[0]
        sides = interleave(
            lambda: seconds_of_text(browser, ours, line), lambda: seconds_of_text(browser, theirs, line), RUNS
        )
    return [Comparison(f"{line.name}, {MEGABYTES} MB of printed text", "s", *sides)]


if __name__ == "__main__":
    print(comparison_table(printing(docker.from_env())))
