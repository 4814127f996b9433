"""What a person sees while JupyterLab is away: one page that says why, and then, without a click, JupyterLab."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.lab import Lab, screenshot, write_notebook

LINE = "docker compose logs lab"


def test_who_opens_a_stopped_lab_reads_why_and_comes_in_once_it_is_started(lab: Lab) -> None:
    lab.login()
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    lab.page.goto("about:blank")
    lab.stack.compose("stop", "-t", "1", "lab")
    try:
        # As a bookmark does it; the answer is what is waited for.
        answer = lab.page.goto(f"{lab.stack.url}/lab?reset")
        assert answer
        assert answer.status == 503
        expect(lab.page.get_by_text("JupyterLab doesn't answer")).to_be_visible()
        expect(lab.page.get_by_text(LINE)).to_be_visible()
        screenshot(lab.page, "absent-lab.png")
    finally:
        lab.stack.compose("start", "lab")
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()


def test_who_logs_in_while_the_lab_is_away_comes_in_once_it_is_there(lab: Lab) -> None:
    lab.stack.compose("stop", "-t", "1", "lab")
    try:
        lab.login()
    finally:
        lab.stack.compose("start", "lab")
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()


def test_an_open_notebook_goes_on_with_a_new_kernel_after_kernels_were_away(lab: Lab) -> None:
    lab.open_notebook(write_notebook(lab.stack.repositories / "away.ipynb", "print('here', 6 * 7)"))
    lab.stack.compose("stop", "-t", "1", "kernels")
    lab.stack.compose("start", "kernels")
    lab.stack.up()
    lab.page.reload()
    expect(lab.page.get_by_text("Python 3 | Idle")).to_be_visible()
    lab.run_all_cells()
    expect(lab.output.get_by_text("here 42")).to_be_visible()
    lab.save()
