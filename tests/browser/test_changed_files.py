"""What an open page shows of files that a laptop, or another program, changes below it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, expect

from tests.browser.conftest import DESKTOP, import_authority, launch, new_page
from tests.browser.lab import Lab, write_notebook
from tests.conftest import PASSWORD
from tests.laptops import STEP_SECONDS, Laptop, SyncStack, arrives, paired_laptop, serving, write_as
from tests.stacks import poll

OF_THE_LAPTOP, OF_THE_PAGE = "of_the_laptop = 1", "of_the_page = 2"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SyncStack]:
    with serving(tmp_path_factory.mktemp("changed"), JUPYTER_PASSWORD=PASSWORD) as stack:
        yield stack


@pytest.fixture(scope="module")
def ada(stack: SyncStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Laptop]:
    with paired_laptop(stack, tmp_path_factory.mktemp("laptops")) as laptop:
        yield laptop


@pytest.fixture(scope="module")
def tab(playwright: Playwright, stack: SyncStack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home = tmp_path_factory.mktemp("home")
    import_authority(stack.authority(), home)
    with launch(playwright, home) as browser:
        yield browser


@pytest.fixture
def page(tab: Browser) -> Iterator[Page]:
    with new_page(tab, DESKTOP) as page:
        yield page
    page.context.close()


@pytest.fixture
def lab(page: Page, stack: SyncStack, ada: Laptop) -> Lab:
    return Lab(page, stack)


def text_of(notebook: Path, code: str) -> str:
    content: dict[str, Any] = json.loads(notebook.read_text())
    content["cells"][-1]["source"] = code
    return json.dumps(content)


def edit(laptop: Laptop, name: str, code: str) -> float:
    """Saves a notebook on the laptop with another text in its last cell, as an editor does; returns when."""
    there = laptop.folder / name
    poll(lambda: there.exists() or None, STEP_SECONDS, str(there))
    laptop.write(name, text_of(there, code))
    return time.monotonic()


def cells(lab: Lab) -> Locator:
    return lab.page.locator(".jp-Notebook .jp-CodeCell .cm-content")


def type_into_last_cell(lab: Lab, text: str) -> None:
    cells(lab).last.click()
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.type(f"\n{text}")


def test_an_untouched_notebook_shows_what_the_laptop_saved(lab: Lab, ada: Laptop) -> None:
    notebook = write_notebook(lab.stack.repositories / "clean.ipynb", "first = 1", "second = 2", "third = 3")
    lab.open_notebook(notebook)
    cells(lab).nth(1).click()
    since = edit(ada, notebook.name, OF_THE_LAPTOP)
    expect(cells(lab).last).to_have_text(OF_THE_LAPTOP)
    print(f"shown after {time.monotonic() - since:.1f} s")
    active = lab.page.locator(".jp-Notebook .jp-Cell.jp-mod-active .cm-content")
    expect(active).to_have_text("second = 2")
    # It is no conflict, and what is run and saved next is the new text.
    lab.run_all_cells()
    lab.save()
    assert OF_THE_LAPTOP in notebook.read_text()
    assert not list(lab.stack.repositories.glob("*.sync-conflict-*"))


def test_unsaved_changes_are_warned_of_and_by_which_device(lab: Lab, ada: Laptop) -> None:
    notebook = write_notebook(lab.stack.repositories / "dirty.ipynb", "first = 1", "second = 2")
    lab.open_notebook(notebook)
    type_into_last_cell(lab, OF_THE_PAGE)
    edit(ada, notebook.name, OF_THE_LAPTOP)
    warning = lab.notifications.filter(has_text="dirty.ipynb was changed on ada, and has unsaved changes here.")
    expect(warning).to_be_visible()
    expect(cells(lab).last).to_contain_text(OF_THE_PAGE)
    assert OF_THE_LAPTOP in notebook.read_text()
    warning.get_by_role("button", name="Show what was changed on ada").click()
    expect(cells(lab).last).to_have_text(OF_THE_LAPTOP)
    expect(warning).to_have_count(0)


def test_an_output_that_is_not_saved_yet_is_not_lost(lab: Lab, ada: Laptop) -> None:
    notebook = write_notebook(lab.stack.repositories / "output.ipynb", "print('measured for an hour')", "second = 2")
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.output.first).to_contain_text("measured for an hour")
    expect(lab.page.get_by_text("Python 3 | Idle")).to_be_visible()
    edit(ada, notebook.name, OF_THE_LAPTOP)
    expect(lab.notifications.filter(has_text="output.ipynb was changed on ada")).to_be_visible()
    expect(lab.output.first).to_contain_text("measured for an hour")


def test_a_running_cell_is_not_taken_from_under_its_output(lab: Lab, ada: Laptop) -> None:
    wait = "import pathlib, time\nwhile not pathlib.Path('go').exists():\n    time.sleep(0.1)\nprint('ran on')"
    notebook = write_notebook(lab.stack.repositories / "running.ipynb", wait, "second = 2")
    lab.open_notebook(notebook)
    lab.run_all_cells()
    expect(lab.page.get_by_text("Python 3 | Busy")).to_be_visible()
    lab.save()
    edit(ada, notebook.name, OF_THE_LAPTOP)
    expect(lab.notifications.filter(has_text="running.ipynb was changed on ada")).to_be_visible()
    (lab.stack.repositories / "go").touch()
    expect(lab.output.first).to_contain_text("ran on")


def test_a_text_file_shows_what_another_program_wrote_over_it(lab: Lab) -> None:
    path = write_as((1500, 1600), lab.stack.repositories / "notes.md", "before")
    lab.login(f"/lab/tree/{path.name}?reset")
    editor = lab.page.locator(".jp-FileEditor .cm-content")
    expect(editor).to_have_text("before")
    for text in ("renamed over", "made anew"):
        path.unlink()
        write_as((1500, 1600), path, text)
        expect(editor).to_have_text(text)


def test_a_page_s_own_saves_warn_of_nothing(lab: Lab, ada: Laptop) -> None:
    notebook = write_notebook(lab.stack.repositories / "own.ipynb", "first = 1")
    lab.open_notebook(notebook)
    for number in range(5):
        type_into_last_cell(lab, f"number = {number}")
        lab.save()
        saved = notebook.read_text()
        assert f"number = {number}" in saved
        arrives(ada.folder / notebook.name, saved)
    type_into_last_cell(lab, "unsaved = 1")
    # As long as several looks take: whatever would be told, would be there.
    with lab.page.expect_response(lambda answer: "/api/contents/own.ipynb?content=0" in answer.url):
        pass
    with lab.page.expect_response(lambda answer: "/api/contents/own.ipynb?content=0" in answer.url):
        pass
    assert lab.notifications.filter(has_text="own.ipynb was changed").count() == 0
    assert not list(lab.stack.repositories.glob("own.sync-conflict-*"))
