"""An open page of JupyterLab with a cell that prints, and what shall be seen of it when the server was away."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.lab import Lab, write_notebook
from tests.stacks import poll

LINES = 60
LAST = f"line {LINES - 1}"
PRINTING = f"import os, time\nfor n in range({LINES}):\n    print('line', n)\n    time.sleep(0.5)\nkept = os.getpid()"
ASKING = "print('kept' if kept == os.getpid() else 'another kernel', n)"
# From the server's answer to the next line.
BACK_SECONDS = 10
OUTPUT_SECONDS = 60
WATCH_FOR_DIALOGS = """() => {
    window.dialogs = [];
    const look = () => document.querySelectorAll('.jp-Dialog').forEach(each => window.dialogs.push(each.innerText));
    new MutationObserver(look).observe(document.body, { childList: true, subtree: true });
}"""
KERNELS = "() => fetch('/api/kernels').then(answer => answer.json()).then(all => all.map(each => each.id))"


@dataclass(frozen=True)
class OpenPage:
    """A notebook whose first cell prints a line each half second."""

    lab: Lab
    kernels: list[str]

    @property
    def output(self) -> Locator:
        return self.lab.output.nth(0)

    def lines(self) -> list[str]:
        return self.output.inner_text().split("\n")

    def has_gone_on(self, lines_before: int) -> float:
        """Waits for a line more, or the last one, and returns after how many seconds it came."""
        begin = time.monotonic()
        poll(lambda: len(self.lines()) > lines_before or LAST in self.lines() or None, wanted="a line more")
        return time.monotonic() - begin

    def check_nothing_is_lost(self) -> None:
        """No dialog, every line in order, the same kernel with its variables."""
        expect(self.output).to_contain_text(LAST, timeout=OUTPUT_SECONDS * 1000)
        # What comes by itself may be shown before what the server is asked for.
        wanted = [f"line {n}" for n in range(LINES)]
        poll(lambda: self.lines()[:LINES] == wanted or None, wanted="every line, in order")
        self.lab.page.locator(".jp-Cell").nth(1).click()
        self.lab.page.keyboard.press("Shift+Enter")
        expect(self.lab.output.nth(1)).to_contain_text(f"kept {LINES - 1}")
        assert self.lab.page.evaluate(KERNELS) == self.kernels
        self.check_no_dialog()

    def check_no_dialog(self) -> None:
        assert self.lab.page.evaluate("() => window.dialogs") == []


def open_printing(lab: Lab, name: str) -> OpenPage:
    """Opens a notebook, runs its first cell and waits for some lines."""
    lab.open_notebook(write_notebook(Path(lab.stack.repositories / name), PRINTING, ASKING))
    lab.page.evaluate(WATCH_FOR_DIALOGS)
    lab.page.locator(".jp-Cell").first.click()
    lab.page.keyboard.press("Shift+Enter")
    page = OpenPage(lab, lab.page.evaluate(KERNELS))
    expect(page.output).to_contain_text("line 4")
    return page
