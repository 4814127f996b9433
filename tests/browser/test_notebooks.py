"""A notebook in the browser, from its address to the file on the host."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, bring, outputs_in, owner, screenshot, write_notebook
from tests.stacks import REPOSITORY, poll

EXAMPLES = REPOSITORY / "examples"
DIABETES = EXAMPLES / "diabetes.ipynb"
STILL = "image/png"
SLIDER = "from ipywidgets import interact\ninteract(lambda side: print(f'area {side ** 2}'), side=(0, 10));"


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
    lab.open_notebook(write_notebook(lab.stack.repositories / "slider.ipynb", SLIDER))
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


def test_a_plot_of_plotly_s_shows_in_the_browser_without_the_internet(lab: Lab) -> None:
    dots = "import plotly.express as px\npx.scatter(x=[1, 2], y=[2, 4], title='Dots')"
    notebook = write_notebook(lab.stack.repositories / "dots.ipynb", dots)
    lab.open_notebook(notebook)
    lab.run_all_cells()
    points = ".js-plotly-plot .scatterlayer .point"
    expect(lab.output.locator(points)).to_have_count(2)
    screenshot(lab.page, "dots.png")

    def saved_with_its_still() -> bool | None:
        """plotly's part of a page adds a still of the figure to the output, at some time after it has drawn it."""
        # JupyterLab saves nothing, and asks the server for nothing, while nothing has changed.
        lab.page.keyboard.press("Control+s")
        return any(STILL in output["data"] for output in outputs_in(notebook)) or None

    poll(saved_with_its_still, wanted="the still")
    # In Jupyter Notebook, from the file: what ran without a page has no still, and the figure is drawn at once.
    content = json.loads(notebook.read_text())
    del content["cells"][0]["outputs"][0]["data"][STILL]
    (lab.stack.repositories / "undrawn.ipynb").write_text(json.dumps(content))
    lab.page.goto(f"{lab.stack.url}/notebooks/undrawn.ipynb")
    expect(lab.output.locator(points)).to_have_count(2)
    # A still that was saved is shown as it is, whatever the run has put out, until somebody points at it.
    lab.page.mouse.move(0, 0)
    lab.page.goto(f"{lab.stack.url}/notebooks/dots.ipynb")
    expect(lab.output.locator("img.plot-img[src]")).to_be_visible()
    lab.output.locator(".jp-RenderedPlotly").hover()
    expect(lab.output.locator(points)).to_have_count(2)
    # As a file of its own, too, in a page that has shown no figure yet.
    figure = {"data": [{"type": "scatter", "mode": "markers", "x": [1, 2, 3], "y": [1, 2, 3]}], "layout": {}}
    (lab.stack.repositories / "dots.plotly.json").write_text(json.dumps(figure))
    lab.page.goto(f"{lab.stack.url}/lab/tree/dots.plotly.json?reset")
    expect(lab.page.locator(f".jp-MimeDocument {points}")).to_have_count(3)


def test_an_example_is_copied_from_the_launcher_once_and_never_written_over(lab: Lab) -> None:
    lab.login("/lab?reset")
    cards = lab.page.locator(".jp-LauncherCard:visible")
    cards.filter(has_text="Data, a model, a plot").click()
    expect(lab.page.get_by_role("tab", name="diabetes.ipynb")).to_be_visible()
    copy = lab.stack.repositories / "examples" / "diabetes.ipynb"
    assert json.loads(copy.read_text())["cells"][0] == json.loads(DIABETES.read_text())["cells"][0]
    assert owner(copy) == (1000, 1000)
    write_notebook(copy, "mine = 1")
    lab.page.get_by_title("New Launcher").first.click()
    for card in ("Data, a model, a plot", "A long run, tab closed", "Your own environment", "Larger than memory"):
        expect(cards.filter(has_text=card)).to_be_visible()
    cards.filter(has_text="Data, a model, a plot").click()
    expect(lab.page.locator(".jp-Notebook .cm-content").get_by_text("mine = 1")).to_be_visible()
    assert "mine = 1" in copy.read_text()


@pytest.mark.parametrize(
    ("name", "said"), [("long-run", "darts: pi is about 3.14"), ("own-environment", "/.conda/envs/my-project ")]
)
def test_an_example_runs_from_its_first_cell_to_its_last(lab: Lab, name: str, said: str) -> None:
    notebook = bring(EXAMPLES / f"{name}.ipynb", lab.stack.repositories)
    notebook.write_text(notebook.read_text().replace("minutes = 5", "minutes = 0"))
    lab.stack.shell(f"cd /repositories && workhorse run {name}.ipynb")
    (copy,) = lab.stack.repositories.glob(f"{name}-run-*.ipynb")
    texts = ["".join(each.get("text", "")) for each in outputs_in(copy)]
    assert any(said in text for text in texts), texts
