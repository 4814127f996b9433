"""A notebook in the browser, from its address to the file on the host."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.browser.lab import Lab, bring, outputs_in, owner, screenshot, write_notebook

DIABETES = Path(__file__).parent / "diabetes.ipynb"


def test_a_notebook_is_opened_run_plotted_and_saved_as_the_person_s_file(lab: Lab) -> None:
    notebook = bring(DIABETES, lab.stack.repositories)
    lab.open_notebook(notebook)
    lab.run_all_cells()

    plot = lab.output.locator("img")
    expect(plot).to_be_visible()
    assert plot.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    expect(lab.output.get_by_text("R² = 0.")).to_be_visible()

    lab.save()
    saved = outputs_in(notebook)
    assert "R² = 0." in "".join(saved[0]["text"])
    assert saved[1]["data"]["image/png"]
    assert owner(notebook) == (1000, 1000)
    # The login before may be told of; nothing else is: no news, no update, no failure.
    assert [text for text in lab.notifications.all_inner_texts() if text and "Last login" not in text] == []
    # Nor does the log ask for what nobody misses.
    assert "nodejs" not in lab.stack.log()
    lab.page.get_by_role("heading", name="Does the diabetes progress?").scroll_into_view_if_needed()
    screenshot(lab.page, "jupyterlab.png")


def test_a_slider_works_in_the_browser(lab: Lab) -> None:
    squares = "from ipywidgets import interact\ninteract(lambda side: print(f'area {side ** 2}'), side=(0, 10));"
    lab.open_notebook(write_notebook(lab.stack.repositories / "slider.ipynb", squares))
    lab.run_all_cells()
    expect(lab.output.get_by_text("area 25")).to_be_visible()
    lab.page.get_by_role("slider").press("ArrowRight")
    expect(lab.output.get_by_text("area 36")).to_be_visible()


def test_a_plot_to_zoom_into_shows_in_the_browser(lab: Lab) -> None:
    line = "%matplotlib widget\nimport matplotlib.pyplot as plt\nplt.plot([1, 2, 4]);"
    lab.open_notebook(write_notebook(lab.stack.repositories / "zoom.ipynb", line))
    lab.run_all_cells()
    canvas = lab.output.locator("canvas").last
    expect(canvas).to_be_visible()
    canvas.hover()
    expect(lab.output.get_by_text("Figure 1")).to_be_visible()
    expect(lab.output.get_by_text("(x, y) =")).to_be_visible()
    screenshot(lab.page, "zoom.png")
