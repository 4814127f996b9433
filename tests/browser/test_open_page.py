"""An open page whose server is away for a moment goes on by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.forwarder import Forwarder, forwarder
from tests.browser.lab import Lab
from tests.browser.open_page import BACK_SECONDS, WATCH_FOR_DIALOGS, open_printing
from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

AWAY = "The server is away for a moment."
# A page says so no sooner.
NOTICED_SECONDS = 5
LOGGED_OUT = "You are logged out; your kernels run on."


@pytest.fixture
def way(stack: Stack) -> Iterator[Forwarder]:
    with forwarder(stack.port) as way:
        yield way


@pytest.fixture
def distant(page: Page, stack: Stack, way: Forwarder) -> Lab:
    """JupyterLab by a way that can be cut."""
    return Lab(page, replace(stack, port=way.port))


@pytest.mark.parametrize("seconds", [4, 12])
def test_a_page_goes_on_by_itself_when_the_server_is_back(distant: Lab, way: Forwarder, seconds: int) -> None:
    printing = open_printing(distant, f"away-{seconds}.ipynb")
    stay_away(distant, way, seconds)
    assert printing.has_gone_on(len(printing.lines())) < BACK_SECONDS
    expect(notice(distant).filter(has_text=AWAY)).to_have_count(0)
    printing.check_nothing_is_lost()


def test_what_is_saved_while_the_server_is_away_is_saved_when_it_is_back(distant: Lab, way: Forwarder) -> None:
    printing = open_printing(distant, "saved-late.ipynb")
    notebook = distant.stack.repositories / "saved-late.ipynb"
    way.close()
    distant.page.keyboard.press("Control+s")
    expect(notice(distant).filter(has_text=AWAY)).to_be_visible()
    assert "line 4" not in notebook.read_text()
    way.open()
    poll(lambda: "line 4" in notebook.read_text() or None, seconds=BACK_SECONDS, wanted="the notebook with its output")
    printing.check_no_dialog()


def test_a_terminal_goes_on_by_itself_when_the_server_is_back(distant: Lab, way: Forwarder) -> None:
    frames: list[str | bytes] = []
    distant.page.on("websocket", lambda each: each.on("framereceived", lambda frame: frames.append(frame)))
    distant.login("/lab?reset")
    distant.page.locator(".jp-LauncherCard", has_text="Terminal").click()
    terminal = distant.page.locator(".jp-Terminal .xterm")
    expect(terminal).to_be_visible()
    terminal.click()
    # What is typed before the shell is there is lost.
    poll(lambda: has_prompt(distant, frames) or None, wanted="the shell's prompt")
    distant.page.evaluate(WATCH_FOR_DIALOGS)
    distant.page.keyboard.type("kept=$$; echo $kept >/repositories/terminal-before.txt\n")
    before, after = (distant.stack.repositories / name for name in ("terminal-before.txt", "terminal-after.txt"))
    poll(lambda: before.exists() and before.read_text(), wanted=str(before))
    stay_away(distant, way, 12)
    distant.page.keyboard.type("echo $kept >/repositories/terminal-after.txt\n")
    assert poll(lambda: after.exists() and after.read_text(), BACK_SECONDS, str(after)) == before.read_text()
    assert distant.page.evaluate("() => window.dialogs") == []


def test_who_is_logged_out_elsewhere_is_told_and_goes_on_after_a_login(lab: Lab) -> None:
    printing = open_printing(lab, "logged-out.ipynb")
    lab.stack.workhorse("sign-out")
    expect(notice(lab)).to_contain_text(LOGGED_OUT)
    with lab.page.expect_popup() as opened:
        notice(lab).get_by_role("link", name="Log in").click()
    opened.value.get_by_label("Password").fill(PASSWORD)
    opened.value.get_by_role("button", name="Log in").click()
    assert printing.has_gone_on(len(printing.lines())) < BACK_SECONDS
    expect(notice(lab)).to_have_count(0)
    # Playwright hears of it while it asks something itself.
    poll(lambda: (lab.page.evaluate("1") and opened.value.is_closed()) or None, wanted="the login's tab to be closed")
    printing.check_nothing_is_lost()


def test_without_its_extension_jupyterlab_works_as_ever(lab: Lab) -> None:
    lab.page.route("**/workhorse/static/remoteEntry.js*", lambda route: route.fulfill(body="throw Error('broken')"))
    printing = open_printing(lab, "without.ipynb")
    printing.check_nothing_is_lost()


def has_prompt(lab: Lab, frames: list[str | bytes]) -> bool:
    # Playwright hears of frames while it waits for something itself.
    lab.page.wait_for_timeout(50)
    return any(frame.startswith('["stdout"') for frame in frames if isinstance(frame, str))


def notice(lab: Lab) -> Locator:
    return lab.page.locator("#workhorse-notice")


def stay_away(lab: Lab, way: Forwarder, seconds: int) -> None:
    """For some seconds, in which the page shows that it has noticed only where they are many."""
    way.close()
    began = time.monotonic()
    lab.page.wait_for_timeout(seconds * 1000)
    away = notice(lab).filter(has_text=AWAY)
    if seconds > NOTICED_SECONDS:
        assert away.count() == 1
    else:
        is_told = away.count() > 0
        assert not is_told or time.monotonic() - began > NOTICED_SECONDS
    way.open()
