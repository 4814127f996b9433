"""The door and the lab are made anew or killed at any moment of a printing cell, with a page and without.

By hand, each of the four five times, and at other moments: WORKHORSE_TEST_KILLS=20 WORKHORSE_TEST_SEED=2
"""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from entrypoint.recorder.recorder import CUT_SECONDS
from tests.browser.conftest import DESKTOP, new_page
from tests.browser.lab import Lab, write_notebook
from tests.browser.open_page import WATCH_FOR_DIALOGS
from tests.browser.test_door_recreated import answers
from tests.stack.test_faults import started_at
from tests.stacks import DOOR, LAB, Stack, poll

# So few, so that the suite stays quick.
KILLS = int(os.environ.get("WORKHORSE_TEST_KILLS", "2"))
SEED = int(os.environ.get("WORKHORSE_TEST_SEED", "1"))
LINES, LINE_SECONDS = 120, 0.05
PRINTING = f"import time\nfor n in range({LINES}):\n    print('line', n, flush=True)\n    time.sleep({LINE_SECONDS})"
PRINTED = "".join(f"line {n}\n" for n in range(LINES))
# A page may have been cut off before it said that it was closed.
WRITTEN_SECONDS = CUT_SECONDS + 120

Change = Callable[[Stack, str], None]


def recreated(stack: Stack, service: str) -> None:
    stack.compose("up", "-d", "--no-build", "--no-deps", "--force-recreate", service)


def killed(stack: Stack, service: str) -> None:
    # Not by Docker, which takes that for a stop by hand.
    os.kill(stack.container_of(service).attrs["State"]["Pid"], signal.SIGKILL)


KINDS: tuple[tuple[Change, str], ...] = tuple((change, of) for change in (recreated, killed) for of in (DOOR, LAB))


@pytest.fixture
def left_page(browser: Browser) -> Iterator[Callable[[], Page]]:
    """Pages that are closed in mid-run, each with a login of its own."""
    pages: list[Page] = []

    def come() -> Page:
        pages.append(new_page(browser, DESKTOP))
        return pages[-1]

    yield come
    for page in pages:
        page.context.close()


def written(notebook: Path) -> tuple[str, list[int | None]]:
    """All that a notebook holds of what was printed, and its cells' numbers."""
    cells = json.loads(notebook.read_text())["cells"]
    texts = ["".join(output.get("text", "?")) for cell in cells for output in cell["outputs"]]
    return "".join(texts), [cell["execution_count"] for cell in cells]


def leave_running(page: Page, stack: Stack, name: str) -> Path:
    """Opens a notebook, runs its cell, and closes the tab."""
    notebook = write_notebook(stack.repositories / name, PRINTING)
    lab = Lab(page, stack)
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.page.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    page.close()
    return notebook


def wait_for_another(stack: Stack, service: str, before: str) -> None:
    poll(lambda: started_at(stack, service) != before or None, wanted=f"another {service}")


def test_no_line_is_lost_or_doubled_whenever_the_door_or_the_lab_goes(
    lab: Lab, stack: Stack, authority: Path, left_page: Callable[[], Page]
) -> None:
    chance = random.Random(SEED)  # noqa: S311  # nobody guesses it
    notebook = write_notebook(stack.repositories / "seen.ipynb", PRINTING)
    lab.open_notebook(notebook)
    lab.page.evaluate(WATCH_FOR_DIALOGS)
    unseen: list[Path] = []
    for number in range(1, KILLS + 1):
        change, service = KINDS[number % len(KINDS)]
        unseen.append(leave_running(left_page(), stack, f"unseen-{number}.ipynb"))
        lab.page.locator(".jp-Cell .cm-content").first.click()
        lab.page.keyboard.press("Control+Enter")
        before, seconds = started_at(stack, service), chance.uniform(0, LINES * LINE_SECONDS)
        print(f"seed {SEED}, {number}: {service} {change.__name__} after {seconds:.2f} s", flush=True)
        time.sleep(seconds)
        change(stack, service)
        wait_for_another(stack, service, before)
        poll(lambda: answers(stack, authority) or None, wanted="the door's answer")
        expect(lab.page.locator(".jp-InputPrompt").first).to_have_text(f"[{number}]:")
        # What was on its way when the door was killed comes once the page has asked for it.
        poll(lambda: lab.output.first.inner_text().strip() == PRINTED.strip() or None, wanted="every line, once")
        lab.save()
        assert written(notebook) == (PRINTED, [number])
    assert lab.page.evaluate("() => window.dialogs") == []
    poll(lambda: all(written(each)[0] for each in unseen) or None, seconds=WRITTEN_SECONDS, wanted="what they printed")
    assert [written(each) for each in unseen] == [(PRINTED, [1])] * KILLS
