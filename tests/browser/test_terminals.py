"""A terminal in the browser."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab import Lab, owner, screenshot
from tests.stacks import poll


def test_a_terminal_opens_in_the_browser(lab: Lab) -> None:
    lab.login("/lab?reset")
    lab.page.locator(".jp-LauncherCard", has_text="Terminal").click()
    terminal = lab.page.locator(".jp-Terminal .xterm")
    expect(terminal).to_be_visible()
    terminal.click()
    lab.page.keyboard.type("whoami > /repositories/who.txt\n")
    who = lab.stack.repositories / "who.txt"
    assert poll(lambda: who.exists() and who.read_text(), wanted=str(who)) == "workhorse\n"
    assert owner(who) == (1000, 1000)
    screenshot(lab.page, "terminal.png")
