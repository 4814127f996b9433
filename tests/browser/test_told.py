"""The browser tells that a long cell has ended, where the person has allowed it and looks elsewhere."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.lab import Lab, outputs_in, write_notebook
from tests.stacks import Stack, poll

# What the browser has shown. In here every page counts as looked at, so a test says which is not.
WATCH = """
    window.told = [];
    const Browsers = window.Notification;
    window.Notification = class extends Browsers {
        constructor(title, options) {
            super(title, options);
            this.addEventListener('show', () => window.told.push({ title, body: options.body }));
        }
    };
    Object.defineProperty(document, 'hidden', { get: () => window.isHidden === true });
"""
# As if a minute had passed since, for the page.
A_MINUTE_LATER = "const now = Date.now; Date.now = () => now() + 61_000; window.isHidden = {hidden};"
WAITS = "import pathlib, time\nwhile not pathlib.Path('{go}').exists(): time.sleep(0.05)\n"


@pytest.fixture
def page(page: Page) -> Page:
    page.context.grant_permissions(["notifications"])
    page.add_init_script(WATCH)
    return page


def switch(page: Page) -> None:
    """By the menu, as a person does."""
    page.get_by_role("menuitem", name="Settings", exact=True).click()
    page.get_by_text("Notify Me When Long Cells End").click()


def told(page: Page) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = page.evaluate("window.told")
    return found


def run_for_a_minute(page: Page, stack: Stack, name: str, code: str, hidden: bool) -> None:
    """Runs a notebook whose first cell takes a minute, and its second no time."""
    go = stack.repositories / f"{name}.go"
    notebook = write_notebook(stack.repositories / f"{name}.ipynb", WAITS.format(go=go.name) + code, "print('short')")
    lab = Lab(page, stack)
    lab.open_notebook(notebook)
    if not page.evaluate("localStorage.getItem('workhorse:notify') === 'on'"):
        switch(page)
    lab.run_all_cells()
    expect(page.locator(".jp-InputPrompt").first).to_have_text("[*]:")
    page.evaluate(A_MINUTE_LATER.format(hidden="true" if hidden else "false"))
    go.touch()


def test_a_long_cell_tells_by_its_notebook_s_name_and_its_last_line(page: Page, stack: Stack) -> None:
    run_for_a_minute(page, stack, "browser-done", "print('one')\nprint('\\x1b[31mtwo\\x1b[0m')", hidden=True)
    poll(lambda: told(page) or None, wanted="a notification")
    expect(page.locator(".jp-OutputArea-output").last).to_have_text("short")
    assert told(page) == [{"title": "browser-done.ipynb: done", "body": "two"}]


def test_one_that_fails_tells_so(page: Page, stack: Stack) -> None:
    run_for_a_minute(page, stack, "browser-failed", "1 / 0", hidden=True)
    poll(lambda: told(page) or None, wanted="a notification")
    assert told(page) == [{"title": "browser-failed.ipynb: failed", "body": "ZeroDivisionError: division by zero"}]


def test_one_whose_kernel_is_killed_tells_so(page: Page, stack: Stack) -> None:
    killing = "import os, signal; os.kill(os.getpid(), signal.SIGKILL)"
    run_for_a_minute(page, stack, "browser-killed", killing, hidden=True)
    poll(lambda: told(page) or None, wanted="a notification")
    assert [each["title"] for each in told(page)] == ["browser-killed.ipynb: killed"]


def test_a_page_that_is_looked_at_tells_nothing(page: Page, stack: Stack) -> None:
    run_for_a_minute(page, stack, "browser-looked-at", "print('seen')", hidden=False)
    expect(page.locator(".jp-OutputArea-output").last).to_have_text("short")
    assert told(page) == []


def test_it_is_off_until_the_person_switches_it_on_and_asks_for_nothing_before(page: Page, stack: Stack) -> None:
    notebook = write_notebook(stack.repositories / "browser-off.ipynb", "print('x')")
    page.add_init_script("Notification.requestPermission = async () => { window.asked = true; return 'denied'; };")
    Lab(page, stack).open_notebook(notebook)
    assert page.evaluate("[window.asked, localStorage.getItem('workhorse:notify')]") == [None, None]
    switch(page)
    expect(page.get_by_text("This browser doesn't let this page notify you")).to_be_visible()
    assert page.evaluate("[window.asked, localStorage.getItem('workhorse:notify')]") == [True, "off"]


def test_a_notebook_is_sent_to_run_without_its_page(page: Page, stack: Stack) -> None:
    name = "it's long"
    go = stack.repositories / "background.go"
    notebook = write_notebook(stack.repositories / f"{name}.ipynb", WAITS.format(go=go.name), "print('ran')")
    lab = Lab(page, stack)
    lab.open_notebook(notebook)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_text("Run in the Background").click()
    expect(page.locator(".jp-Terminal")).to_be_visible()
    (copy,) = poll(lambda: list(stack.repositories.glob(f"{name}-run-*.ipynb")), wanted="a copy")
    page.close()
    poll(lambda: f"{copy.name} (Python 3): busy" in stack.workhorse("kernels", check=False) or None, wanted="a run")
    go.touch()
    poll(lambda: "ran" in json.dumps(outputs_in(copy)) or None, wanted="what came out")
    assert outputs_in(notebook) == []
