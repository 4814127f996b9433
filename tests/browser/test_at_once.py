"""Cells that are run as soon as their notebook is seen: they wait for the kernel."""

from __future__ import annotations

import time

import pytest
from playwright.sync_api import Route, expect

from tests.browser.lab import Lab, visit, write_notebook

# What a kernel's start takes on a busy machine.
SECONDS = 3


@pytest.mark.parametrize("place", ["lab/tree/{}?reset", "notebooks/{}"])
def test_a_cell_that_is_run_before_its_kernel_is_there_waits_for_it(lab: Lab, place: str) -> None:
    notebook = write_notebook(lab.stack.repositories / f"at-once-{len(place)}.ipynb", "print(6 * 7)", "print('next')")
    lab.login("/tree")
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()

    def later(route: Route) -> None:
        if route.request.method == "POST":
            time.sleep(SECONDS)
        route.continue_()

    lab.page.route("**/api/sessions*", later)
    visit(lab.page, f"{lab.stack.url}/{place.format(notebook.name)}")
    cells = lab.page.locator(".jp-Notebook .jp-Cell")
    cells.nth(0).locator(".cm-content").click()
    lab.page.keyboard.press("Shift+Enter")
    # No finger is so quick that the next key comes before the next cell has the focus.
    expect(cells.nth(1)).to_be_focused()
    lab.page.keyboard.press("Shift+Enter")
    expect(lab.output.nth(0)).to_contain_text("42")
    expect(lab.output.nth(1)).to_contain_text("next")
