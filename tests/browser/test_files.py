"""The file browser: what is deleted can be had back, what is hidden can be shown, what is large comes whole."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.browser.lab import Lab, write_notebook
from tests.stacks import poll

MEGABYTE = 1024 * 1024
# Above what JupyterLab asks about by itself, in more than one chunk.
UPLOADED_MEGABYTES = 20
# The second chunk's answer never reaches the page, twice, though the server has it.
LOSING = """
const plain = window.fetch;
window.saves = 0;
window.fetch = async (request, ...more) => {
  const answer = await plain(request, ...more);
  if (request.method === 'PUT' && request.url.includes('large.bin')) {
    window.saves += 1;
    if (window.saves === 2 || window.saves === 3) {
      throw new TypeError('Failed to fetch');
    }
  }
  return answer;
};
"""


def item(lab: Lab, name: str) -> Locator:
    return lab.page.get_by_role("listitem", name=name)


def own(*paths: Path) -> None:
    for path in paths:
        os.chown(path, 1000, 1000)


def test_a_deleted_folder_is_asked_about_once_and_had_back_from_the_trash(lab: Lab) -> None:
    folder = lab.stack.repositories / "measured"
    folder.mkdir()
    own(folder)
    for number in range(1234):
        (folder / f"{number}.csv").write_text("12345")
        own(folder / f"{number}.csv")
    lab.login("/lab?reset")
    item(lab, "measured").click()
    lab.page.keyboard.press("Delete")
    dialog = lab.page.get_by_role("dialog")
    expect(dialog).to_contain_text(
        'Move "measured" with 1,234 files (6 kB) to Trash? It can be had back for 30 days, from the folder Trash.'
    )
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    dialog.get_by_role("button", name="Move to Trash").click()
    expect(item(lab, "measured")).to_have_count(0)
    expect(dialog).to_have_count(0)
    assert not folder.exists()
    # A terminal's way, and where the file browser shows it.
    lab.stack.shell("mv /repositories/Trash/*/measured /repositories/")
    assert len(list(folder.iterdir())) == 1234
    item(lab, "Trash").dblclick()
    expect(lab.page.get_by_role("listitem", name="20")).to_have_count(1)


def test_what_is_hidden_can_be_shown(lab: Lab) -> None:
    (lab.stack.repositories / ".hidden-settings").touch()
    (lab.stack.repositories / "seen.txt").touch()
    lab.login("/lab?reset")
    expect(item(lab, "seen.txt")).to_be_visible()
    assert item(lab, ".hidden-settings").count() == 0
    lab.page.get_by_role("menuitem", name="View", exact=True).click()
    lab.page.get_by_text("Show Hidden Files").click()
    expect(item(lab, ".hidden-settings")).to_be_visible()
    # A person's setting, and the other tests' too.
    lab.page.get_by_role("menuitem", name="View", exact=True).click()
    lab.page.get_by_text("Show Hidden Files").click()
    expect(item(lab, ".hidden-settings")).to_have_count(0)


def test_a_large_file_is_uploaded_without_a_question_and_past_answers_that_are_lost(lab: Lab, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    block = os.urandom(MEGABYTE)
    file.write_bytes(b"".join(bytes([number]) + block[1:] for number in range(UPLOADED_MEGABYTES)))
    (lab.stack.repositories / "before.txt").touch()
    lab.page.add_init_script(LOSING)
    lab.login("/lab?reset")
    expect(item(lab, "before.txt")).to_be_visible()
    with lab.page.expect_file_chooser() as chooser:
        lab.page.get_by_title("Upload Files").first.click()
    chooser.value.set_files(file)
    wanted = hashlib.sha256(file.read_bytes()).hexdigest()
    arrived = lab.stack.repositories / "large.bin"
    poll(
        lambda: (arrived.exists() and hashlib.sha256(arrived.read_bytes()).hexdigest() == wanted) or None,
        seconds=120,
        wanted="the whole file",
    )
    # The last chunk lies there before its answer has come.
    lab.page.wait_for_function(f"window.saves >= {UPLOADED_MEGABYTES + 2}")
    assert lab.page.evaluate("window.saves") == UPLOADED_MEGABYTES + 2
    expect(lab.page.get_by_role("dialog")).to_have_count(0)


def test_of_two_tabs_on_one_notebook_none_loses_by_enter(lab: Lab) -> None:
    notebook = write_notebook(lab.stack.repositories / "two-tabs.ipynb", "first = 1")
    lab.open_notebook(notebook)
    lab.page.locator(".jp-Notebook .jp-CodeCell .cm-content").last.click()
    lab.page.keyboard.press("Control+End")
    lab.page.keyboard.type("\nmine = 2")
    # The page's own look, and what it tells, come too late for who saves at once.
    lab.page.route("**/api/contents/two-tabs.ipynb?content=0*", lambda route: route.abort())
    write_notebook(notebook, "theirs = 3")
    os.utime(notebook, (notebook.stat().st_atime, notebook.stat().st_mtime + 60))
    lab.page.unroute("**/api/contents/two-tabs.ipynb?content=0*")
    lab.page.keyboard.press("Control+s")
    dialog = lab.page.get_by_role("dialog").filter(has_text="File Changed")
    expect(dialog.get_by_role("button", name="Cancel")).to_be_focused()
    lab.page.keyboard.press("Enter")
    expect(dialog).to_have_count(0)
    assert "theirs = 3" in notebook.read_text()
    expect(lab.page.locator(".jp-Notebook .jp-CodeCell .cm-content").last).to_contain_text("mine = 2")
