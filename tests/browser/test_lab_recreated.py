"""JupyterLab is made anew or killed under an open page with a cell that prints: the page hardly notices."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab
from tests.browser.open_page import LINES, open_printing
from tests.stack.test_faults import started_at
from tests.stacks import KERNELS, LAB, Stack, poll

# As the page's script has it: from then on it says that the server is away.
NOTICE = "#workhorse-notice"


def recreated(stack: Stack) -> None:
    stack.compose("up", "-d", "--no-build", "--force-recreate", LAB)


def killed(stack: Stack) -> None:
    # Not by Docker, which takes that for a stop by hand.
    os.kill(stack.lab.attrs["State"]["Pid"], signal.SIGKILL)


@pytest.mark.parametrize("change", [recreated, killed])
def test_a_page_prints_and_saves_on_when_the_lab_is_made_anew(lab: Lab, change: Callable[[Stack], None]) -> None:
    printing = open_printing(lab, f"lab-{change.__name__}.ipynb")
    before, kernels = started_at(lab.stack, LAB), started_at(lab.stack, KERNELS)
    change(lab.stack)
    # While nobody answers: the door keeps it until somebody does.
    lab.save()
    poll(lambda: started_at(lab.stack, LAB) != before or None, wanted="another lab")
    printing.check_nothing_is_lost()
    expect(lab.page.locator(NOTICE)).to_have_count(0)
    lab.save()
    assert f"line {LINES - 1}" in (lab.stack.repositories / f"lab-{change.__name__}.ipynb").read_text()
    assert started_at(lab.stack, KERNELS) == kernels
