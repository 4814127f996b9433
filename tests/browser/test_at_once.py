"""Cells that are run as soon as their notebook is seen: they wait for the kernel."""

from __future__ import annotations

import pytest
from playwright.sync_api import Route, expect

from tests.browser.lab import Lab, visit, write_notebook
from tests.stacks import poll


# A notebook is shown before the page has asked which kernel it wants, and before that one has started.
@pytest.mark.parametrize("asked", ["**/checkpoints*", "**/api/sessions*"])
@pytest.mark.parametrize("place", ["lab/tree/{}?reset", "notebooks/{}"])
def test_a_cell_that_is_run_before_its_kernel_is_there_waits_for_it(lab: Lab, place: str, asked: str) -> None:
    name = f"at-once-{len(place)}-{len(asked)}.ipynb"
    write_notebook(lab.stack.repositories / name, "print(6 * 7)", "print('next')")
    lab.login("/tree")
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    held: list[Route] = []

    def hold(route: Route) -> None:
        if is_over or ("sessions" in asked and route.request.method == "GET"):
            route.continue_()
        else:
            held.append(route)

    is_over = False
    lab.page.route(asked, hold)
    visit(lab.page, f"{lab.stack.url}/{place.format(name)}")
    cells = lab.page.locator(".jp-Notebook .jp-Cell")
    cells.nth(0).locator(".cm-content").click()
    lab.page.keyboard.press("Shift+Enter")
    # No finger is so quick that the next key comes before the next cell has the focus.
    expect(cells.nth(1)).to_be_focused()
    lab.page.keyboard.press("Shift+Enter")
    # Playwright hears of what is asked for while it is asked itself.
    poll(lambda: lab.page.evaluate("1") and held, wanted="what the page asks for")
    is_over = True
    for route in held:
        route.continue_()
    expect(lab.output.nth(0)).to_contain_text("42")
    expect(lab.output.nth(1)).to_contain_text("next")
    # The page's, and none besides.
    sessions = lab.page.evaluate("fetch('/api/sessions').then(answer => answer.json())")
    assert [session["name"] for session in sessions].count(name) == 1
