"""JupyterLab as a person uses it: pages, the login form, the menu, the keyboard."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Error, Locator, Page, Response, expect

from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

ARTEFACTS = Path(__file__).parents[1] / "artefacts"


@dataclass(frozen=True)
class Lab:
    """One browser tab with JupyterLab, and the stack behind it."""

    page: Page
    stack: Stack

    def login(self, path: str = "/lab", password: str = PASSWORD) -> None:
        """Opens a page of the server and fills in the form that stands before it."""
        visit(self.page, self.stack.url + path)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Log in").click()

    def open_notebook(self, notebook: Path) -> None:
        """Opens a notebook by its address, and waits for its kernel."""
        # Without `reset` JupyterLab opens the tabs of the tests before, too.
        self.login(f"/lab/tree/{notebook.name}?reset")
        expect(self.page.get_by_role("tab", name=notebook.name)).to_be_visible()
        expect(self.page.get_by_text("Python 3 | Idle")).to_be_visible()

    def run_all_cells(self) -> None:
        self.page.get_by_role("menuitem", name="Run", exact=True).click()
        self.page.get_by_text("Run All Cells", exact=True).click()

    def save(self) -> None:
        """Saves by the keyboard, and waits until the server has written the file."""
        with self.page.expect_response(is_save) as answer:
            self.page.keyboard.press("Control+s")
        assert answer.value.ok, f"{answer.value.status} {answer.value.text()}"

    @property
    def output(self) -> Locator:
        """What the cells have put out."""
        return self.page.locator(".jp-Cell-outputArea")

    @property
    def notifications(self) -> Locator:
        """The pop-ups in the lower right corner, of JupyterLab's news, updates and failures."""
        return self.page.locator(".Toastify__toast")


def visit(page: Page, url: str) -> None:
    """Opens a page; Chromium refuses to when any container's network comes or goes at that moment, so it asks again."""

    def attempt() -> bool:
        try:
            page.goto(url)
        except Error as error:
            if "ERR_NETWORK_CHANGED" not in error.message:
                raise
            return False
        return True

    poll(lambda: attempt() or None, wanted=url)


def is_save(response: Response) -> bool:
    return response.request.method == "PUT" and "/api/contents/" in response.url


def screenshot(page: Page, name: str) -> None:
    page.screenshot(path=ARTEFACTS / name)


def owner(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_uid, status.st_gid


def bring(notebook: Path, folder: Path) -> Path:
    """Copies a notebook into the folder that the server shows, as a file of the folder's owner."""
    copy = Path(shutil.copy(notebook, folder))
    os.chown(copy, *owner(folder))
    return copy


def write_notebook(notebook: Path, *cells: str) -> Path:
    """Writes a notebook with cells of code, as a file of the folder's owner."""
    kernel = {"name": "python3", "display_name": "Python 3"}
    content: dict[str, Any] = {"metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    content["cells"] = [_cell(f"code-{number}", code) for number, code in enumerate(cells)]
    notebook.write_text(json.dumps(content))
    os.chown(notebook, *owner(notebook.parent))
    return notebook


def _cell(name: str, code: str) -> dict[str, Any]:
    cell: dict[str, Any] = {"cell_type": "code", "id": name, "metadata": {}, "source": code}
    return cell | {"outputs": [], "execution_count": None}


def outputs_in(notebook: Path) -> list[dict[str, Any]]:
    return [output for cell in json.loads(notebook.read_text())["cells"] for output in cell.get("outputs", [])]
