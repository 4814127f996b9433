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


def test_the_launcher_makes_a_kernel_of_what_a_project_asks_for(lab: Lab) -> None:
    lab.stack.shell("mkdir -p /repositories/asking && echo cowsay >/repositories/asking/requirements.txt")
    lab.login("/lab/tree/asking?reset")
    expect(lab.page.locator(".jp-DirListing-item", has_text="requirements.txt")).to_be_visible()
    lab.page.locator('[data-command="launcher:create"]').first.click()
    card = lab.page.locator(".jp-LauncherCard:visible", has_text="Kernel for this folder")
    screenshot(lab.page, "launcher.png")
    card.click()
    kernel = lab.stack.repositories / "asking/.venv/share/jupyter/kernels/python3/kernel.json"
    poll(lambda: kernel.exists() or None, 120, wanted=str(kernel))
    screenshot(lab.page, "project-kernel.png")
    # The list is asked for anew every minute, and by whoever opens another page.
    lab.page.goto(f"{lab.stack.url}/lab?reset")
    expect(lab.page.locator(".jp-LauncherCard", has_text="[asking]").first).to_be_visible()
