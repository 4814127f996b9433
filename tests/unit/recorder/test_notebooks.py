"""The notebooks that runs go into, by Jupyter's own manager of files: nothing overwritten, nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from entrypoint.jupyter.files import Files
from entrypoint.recorder.notebooks import Notebooks
from entrypoint.recorder.recorder import GONE
from entrypoint.recorder.runs import Recording, Run
from tests.unit.recorder.told import ask, execute, say

NOW = datetime(2026, 11, 29, 3, 24, 55)
COPY = "work/a.outputs-2026-11-29-032455.ipynb"


def cell(name: str | None, source: str, outputs: Any = (), **more: Any) -> dict[str, Any]:
    made: dict[str, Any] = {
        "cell_type": "code",
        "metadata": {},
        "source": source,
        "outputs": list(outputs),
        "execution_count": None,
    }
    return made | ({"id": name} if name else {}) | more


def write(path: Path, *cells: dict[str, Any], minor: int = 5) -> None:
    content = {"metadata": {}, "nbformat": 4, "nbformat_minor": minor, "cells": list(cells)}
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))
    # Before the runs of the tests.
    os.utime(path, (0, 0))


def cells_in(path: Path) -> list[dict[str, Any]]:
    cells: list[dict[str, Any]] = json.loads(path.read_text())["cells"]
    return cells


def texts(path: Path) -> list[str]:
    return ["".join(each["outputs"][0]["text"]) if each.get("outputs") else "" for each in cells_in(path)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    return tmp_path / "folder"


@pytest.fixture
def notebooks(tmp_path: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Notebooks:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    return Notebooks(Files(root_dir=str(folder)), tmp_path / "outputs")


@pytest.fixture
def runs() -> list[Run]:
    """Two cells' ends."""
    recording = Recording()
    execute(recording, "1", "one\n", cell="a", code="1")
    execute(recording, "2", "two\n", count=2, cell="b", code="2")
    return list(recording.runs.values())


def left(notebooks: Notebooks, runs: list[Run]) -> Any:
    """As the recorder does when the last page leaves."""
    place, held, found = notebooks.look("work/a.ipynb", runs, since=0.0)
    for run in runs:
        run.before = found.get(run.id, GONE)
    return place, held


def test_runs_go_into_their_cells_and_all_else_stays(notebooks: Notebooks, folder: Path, runs: list[Run]) -> None:
    file = folder / "work" / "a.ipynb"
    text = {"cell_type": "markdown", "id": "t", "metadata": {"tag": 1}, "source": "# Title"}
    write(file, cell("a", "1"), text, cell("b", "2", metadata={"kept": True}), cell("c", "3"))
    place, held = left(notebooks, runs)
    written = notebooks.write(place, runs, NOW)
    assert (held, written.lines, written.path) == ([], [], "work/a.ipynb")
    assert texts(file) == ["one\n", "", "two\n", ""]
    assert [each.get("execution_count") for each in cells_in(file)] == [1, None, 2, None]
    assert cells_in(file)[2]["metadata"] == {"kept": True}
    assert cells_in(file)[1]["source"] in ("# Title", ["# Title"])
    assert written.before != written.after == notebooks.contents.get("work/a.ipynb", require_hash=True)["hash"]
    assert notebooks.contents.get("work/a.ipynb")["content"]["cells"][0]["metadata"]["trusted"]
    again = notebooks.write(place, [], NOW)
    assert again.before == again.after == written.after


def edited(file: Path) -> None:
    write(file, cell("a", "1 + changed"), cell("b", "2"))


def deleted(file: Path) -> None:
    write(file, cell("b", "2"))


def run_by_somebody_else(file: Path) -> None:
    output = {"output_type": "stream", "name": "stdout", "text": "theirs\n"}
    write(file, cell("a", "1", [output]), cell("b", "2"))


@pytest.mark.parametrize("change", [edited, deleted, run_by_somebody_else])
def test_a_cell_that_was_changed_meanwhile_is_left_alone_and_both_are_kept(
    notebooks: Notebooks, folder: Path, runs: list[Run], change: Callable[[Path], None]
) -> None:
    file = folder / "work" / "a.ipynb"
    write(file, cell("a", "1"), cell("b", "2"))
    place, _ = left(notebooks, runs)
    change(file)
    before = [each for each in cells_in(file) if each["id"] == "a"]
    written = notebooks.write(place, runs, NOW)
    after = [each for each in cells_in(file) if each["id"] == "a"]
    assert ["".join(each["source"]) for each in after] == [each["source"] for each in before]
    assert [["".join(output["text"]) for output in each["outputs"]] for each in after] == [
        [output["text"] for output in each["outputs"]] for each in before
    ]
    assert texts(file)[-1] == "two\n"
    assert written.lines == [
        f"'work/a.ipynb' was changed while its cells ran: what some of them put out lies in '{COPY}'."
    ]
    assert texts(folder / COPY) == ["", "one\n"]
    assert "".join(cells_in(folder / COPY)[1]["source"]) == "1"


@pytest.mark.parametrize("target", ["b.ipynb", "elsewhere/b.ipynb"])
def test_a_notebook_that_was_renamed_or_moved_is_found(
    notebooks: Notebooks, folder: Path, runs: list[Run], target: str
) -> None:
    write(folder / "work" / "a.ipynb", cell("a", "1"), cell("b", "2"))
    place, _ = left(notebooks, runs)
    (folder / target).parent.mkdir(exist_ok=True)
    shutil.move(folder / "work" / "a.ipynb", folder / target)
    assert notebooks.write(place, runs, NOW).path == target
    assert texts(folder / target) == ["one\n", "two\n"]
    assert not (folder / "work" / "a.ipynb").exists()


def test_of_one_that_was_deleted_what_was_put_out_is_kept_where_it_is_in_nobody_s_way(
    notebooks: Notebooks, folder: Path, runs: list[Run]
) -> None:
    write(folder / "work" / "a.ipynb", cell("a", "1"), cell("b", "2"))
    place, _ = left(notebooks, runs)
    shutil.rmtree(folder / "work")
    (line,) = notebooks.write(place, runs, NOW).lines
    assert os.listdir(folder) == []
    (kept,) = notebooks.elsewhere.iterdir()
    assert line == f"'work/a.ipynb' was deleted while its cells ran: what they put out lies in {str(kept)!r}."
    assert texts(kept) == ["", "one\n", "two\n"]


def test_cells_of_a_file_without_ids_are_known_by_their_code(
    notebooks: Notebooks, folder: Path, runs: list[Run]
) -> None:
    file = folder / "work" / "a.ipynb"
    write(file, cell(None, "2"), cell(None, "1"), minor=4)
    place, _ = left(notebooks, runs)
    notebooks.write(place, runs, NOW)
    assert texts(file) == ["two\n", "one\n"]


def test_what_a_page_has_saved_is_held_and_what_was_saved_before_it_came_is_not(
    notebooks: Notebooks, folder: Path, runs: list[Run]
) -> None:
    write(folder / "work" / "a.ipynb", cell("a", "1"), cell("b", "2"))
    assert notebooks.held("work/a.ipynb", runs, since=0.0) == []
    os.utime(folder / "work" / "a.ipynb")
    assert notebooks.held("work/a.ipynb", runs, since=0.0) == runs
    assert notebooks.held("work/a.ipynb", runs, since=time.time() + 60) == []
    assert notebooks.held("work/gone.ipynb", runs, since=0.0) == []
    assert notebooks.look("work/gone.ipynb", runs, since=0.0)[1:] == ([], {})


def test_a_page_that_comes_is_left_all_but_what_has_no_cell_any_more(
    notebooks: Notebooks, folder: Path, runs: list[Run]
) -> None:
    write(folder / "work" / "a.ipynb", cell("a", "1"), cell("b", "2"))
    left(notebooks, runs)
    deleted(folder / "work" / "a.ipynb")
    refused, lines = notebooks.set_apart("work/a.ipynb", runs, NOW)
    assert ([run.id for run in refused], len(lines)) == (["1"], 1)
    assert texts(folder / COPY) == ["", "one\n"]
    assert texts(folder / "work" / "a.ipynb") == [""]


def test_what_the_notebook_holds_already_is_not_written_again(
    notebooks: Notebooks, folder: Path, runs: list[Run]
) -> None:
    file = folder / "work" / "a.ipynb"
    write(file, cell("a", "1"), cell("b", "2"))
    place, _ = left(notebooks, runs)
    notebooks.write(place, runs, NOW)
    os.utime(file, (5, 5))
    for run in runs:
        run.before = None
    written = notebooks.write(place, runs, NOW)
    assert file.stat().st_mtime == 5
    assert written.before == written.after


@pytest.mark.parametrize("still", [{"image/png": "drawn"}, {}], ids=["with a still", "without"])
def test_a_still_that_a_page_has_saved_of_a_figure_stays(
    notebooks: Notebooks, folder: Path, still: dict[str, str]
) -> None:
    file = folder / "work" / "a.ipynb"
    figure: dict[str, Any] = {"application/vnd.plotly.v1+json": {"x": 1.0}}
    picture, text = {"image/png": "the kernel's"}, "text/plain"
    recording = Recording()
    ask(recording, "1", cell="a", code="1")
    for data in (figure, picture, picture, {text: "another"}, {text: "the last"}):
        say(recording, "1", "display_data", data=data, metadata={})
    say(recording, "1", "status", now=3.0, execution_state="idle")
    saved = [figure | still, picture, still, {text: "before"} | still]
    outputs = [{"output_type": "display_data", "metadata": {}, "data": data} for data in saved]
    write(file, cell("a", "1", outputs))
    runs = list(recording.runs.values())
    place, _ = left(notebooks, runs)
    assert notebooks.write(place, runs, NOW).lines == []
    shown = [each["data"] for each in cells_in(file)[0]["outputs"]]
    assert shown == [figure | still, picture, picture, {text: ["another"]}, {text: ["the last"]}]


def test_a_notebook_of_which_a_laptop_has_another_version_is_left_alone(
    notebooks: Notebooks, folder: Path, runs: list[Run]
) -> None:
    file = folder / "work" / "a.ipynb"
    write(file, cell("a", "1"), cell("b", "2"))
    place, _ = left(notebooks, runs)
    write(folder / "work" / "a.sync-conflict-20261129-101500-ABCDEFG.ipynb", cell("a", "1"))
    before = file.read_bytes()
    (line,) = notebooks.write(place, runs, NOW).lines
    assert COPY in line
    assert file.read_bytes() == before
    assert texts(folder / COPY) == ["", "one\n", "two\n"]
