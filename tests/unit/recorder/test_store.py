"""What outlives a power cut, among whatever else people's code has put there."""

from __future__ import annotations

import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from entrypoint.recorder import store
from entrypoint.recorder.runs import Recording
from entrypoint.recorder.store import Store
from tests.unit.recorder.told import ask, execute, say


@pytest.fixture
def kept(tmp_path: Path) -> Store:
    return Store(tmp_path / "runs")


def write(kept: Store, recording: Recording) -> None:
    for run in recording.runs.values():
        kept.write("a.ipynb", run.as_json(), run.for_later())


def test_a_run_comes_back_as_it_was_and_one_that_ran_as_one_that_has_not_ended(kept: Store) -> None:
    recording = Recording()
    execute(recording, "1", "one\n", cell="a")
    ask(recording, "2", cell="b")
    say(recording, "2", "execute_input", execution_count=2)
    say(recording, "2", "display_data", data={"image/png": "aGk="}, metadata={})
    write(kept, recording)
    first, second = (each.run for each in kept.read())
    assert first.as_json() | {"recent": []} == recording.runs["1"].as_json() | {"recent": []}
    assert (second.state, second.outcome, second.started) == ("queued", None, 2.0)
    assert second.outputs.as_list() == recording.runs["2"].outputs.as_list()
    assert [each.path for each in kept.read()] == ["a.ipynb"] * 2
    kept.forget("1")
    assert [each.run.id for each in kept.read()] == ["2"]


@pytest.mark.parametrize("content", ["", "{}", "[]", "3", '{"id": 1}', "[" * 100_000, "\0"])
def test_what_is_no_run_is_passed_over(kept: Store, content: str) -> None:
    recording = Recording()
    execute(recording, "1", "one\n")
    write(kept, recording)
    (kept.folder / "0.json").write_text(content)
    os.mkfifo(kept.folder / "00.json")
    (kept.folder / "000.json").symlink_to("/dev/zero")
    (kept.folder / "0000.json").mkdir()
    assert [each.run.id for each in kept.read()] == ["1"]


def test_a_run_may_be_forgotten_while_another_is_kept(kept: Store) -> None:
    recording = Recording()
    execute(recording, "1", "one\n")
    (run,) = recording.runs.values()
    others = [f"other-{n}" for n in range(20)]

    def come_and_go() -> None:
        for _ in range(50):
            for each in others:
                (kept.folder / f"{each}.json").touch()
            for each in others:
                kept.forget(each)

    write(kept, recording)
    with ThreadPoolExecutor() as beside:
        coming = beside.submit(come_and_go)
        while not coming.done():
            kept.write("a.ipynb", run.as_json(), run.for_later())
        coming.result()
    assert [each.run.id for each in kept.read()] == ["1"]


def test_a_name_leads_nowhere_else(kept: Store, tmp_path: Path) -> None:
    recording = Recording()
    execute(recording, "../../outside", "one\n")
    write(kept, recording)
    assert [path.name for path in tmp_path.rglob("*.json")] == ["outside.json"]
    assert (kept.folder / "outside.json").exists()


def test_together_they_take_bounded_room_and_the_last_stays(kept: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    recording = Recording()
    for n in range(5):
        execute(recording, str(n), "x" * 1000, cell=str(n))
    write(kept, recording)
    size = sum(file.stat().st_size for file in kept.folder.iterdir())
    monkeypatch.setattr(store, "ALL_BYTES_MAX", size // 2)
    for n, file in enumerate(sorted(kept.folder.iterdir())):
        os.utime(file, (n, n))
    execute(recording, "last", "x", cell="last")
    run = recording.runs["last"]
    kept.write("a.ipynb", run.as_json(), run.for_later())
    names = sorted(json.loads(file.read_text())["id"] for file in kept.folder.iterdir())
    assert "last" in names
    assert "0" not in names
    assert sum(file.stat().st_size for file in kept.folder.iterdir()) <= size // 2
