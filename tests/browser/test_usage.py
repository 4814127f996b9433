"""The status bar shows what kernels use, and warns before their memory is used up."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, Playwright, expect

from tests.browser.conftest import DESKTOP, import_authority, launch, new_page
from tests.browser.lab import Lab, write_notebook
from tests.conftest import PASSWORD
from tests.stacks import KERNELS, Stack, new_stack, running

SPIN = "import time\nheld = bytearray(600 << 20)\nend = time.time() + 60\nwhile time.time() < end: pass"


def test_a_kernel_s_memory_and_processor_stand_in_the_status_bar(page: Page, stack: Stack) -> None:
    lab = Lab(page, stack)
    lab.open_notebook(write_notebook(stack.repositories / "usage.ipynb", SPIN))
    bar = page.locator("#workhorse-usage")
    expect(bar).to_contain_text(re.compile(r"^Kernel 0\.\d GiB"))
    lab.run_all_cells()
    expect(bar).to_contain_text(
        re.compile(r"^Kernel 0\.[67] GiB, (\d{2,3}) % \| All (0\.[6-9]|[1-9]\d*\.\d) of \d+\.\d GiB, \d+ %$")
    )
    page.get_by_role("tab", name="usage.ipynb").click()
    page.get_by_role("menuitem", name="Kernel", exact=True).click()
    page.get_by_text("Interrupt Kernel").click()


def stand_in_cards(stack: Stack) -> None:
    """Mounts a program where NVIDIA's container toolkit has its own, which says what that says of a card."""
    program = stack.folder / "nvidia-smi"
    program.write_text("#!/bin/sh\necho 'NVIDIA H100 NVL, 1536, 95330'\n")
    program.chmod(0o755)
    stack.override(KERNELS, "volumes:", f"  - {program}:/usr/bin/nvidia-smi:ro")


def test_a_page_warns_before_the_limit_is_reached(playwright: Playwright, tmp_path: Path) -> None:
    stack = new_stack(tmp_path, JUPYTER_PASSWORD=PASSWORD, MEMORY_LIMIT="700m")
    home = tmp_path / "home"
    home.mkdir()
    stand_in_cards(stack)
    with running(stack):
        assert "  Cards         NVIDIA H100 NVL: 1.5 of 93.1 GiB taken\n" in stack.workhorse("status")
        import_authority(stack.authority(), home)
        with launch(playwright, home) as browser:
            page = new_page(browser, DESKTOP)
            lab = Lab(page, stack)
            lab.open_notebook(write_notebook(stack.repositories / "full.ipynb", "held = b'x' * (560 << 20)"))
            bar = page.locator("#workhorse-usage")
            expect(bar).to_contain_text(" of 0.7 GiB")
            expect(bar).to_contain_text(re.compile(r" \| Card 1\.5 of 93\.1 GiB$"))
            expect(lab.notifications.filter(has_text="may be ended")).to_have_count(0)
            lab.run_all_cells()
            expect(lab.notifications.filter(has_text="of 0.7 GiB: the next to want more may be ended")).to_be_visible()
            assert "var(--jp-error-color1)" in (bar.get_attribute("style") or "")
