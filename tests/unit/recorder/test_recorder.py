"""When outputs go into their notebook: as soon as no page is there, and not while one may come back."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from entrypoint.jupyter.files import Files
from entrypoint.recorder import recorder as timing
from entrypoint.recorder.notebooks import Notebooks
from entrypoint.recorder.recorder import Recorder
from entrypoint.recorder.runs import Run
from entrypoint.recorder.store import Store
from tests.unit.recorder.test_notebooks import cell, cells_in, texts, write

KERNEL = "kernel-1"
SECONDS = 20.0


@dataclass
class Scene:
    """A folder with one notebook, and a recorder whose waits are short."""

    folder: Path
    lines: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    path: str | None = "work/a.ipynb"

    def __post_init__(self) -> None:
        (self.folder / "root").mkdir()
        write(self.file, cell("a", "1"), cell("b", "2"))

    @property
    def file(self) -> Path:
        return self.folder / "root" / "work" / "a.ipynb"

    def recorder(self) -> Recorder:
        async def path_of(kernel_id: str) -> str | None:
            return self.path

        def tell(kernel_id: str, run: Run, path: str | None) -> None:
            self.ended.append(f"{run.id} {run.outcome}")

        notebooks = Notebooks(Files(root_dir=str(self.folder / "root")), self.folder / "outputs")
        return Recorder(notebooks, Store(self.folder / "runs"), path_of, self.lines.append, tell)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    for name in ("LEFT_SECONDS", "LOOK_SECONDS", "ENDED_SECONDS", "STORE_SECONDS", "AGAIN_SECONDS"):
        monkeypatch.setattr(timing, name, 0.01)
    return Scene(tmp_path)


def run(story: Callable[[], Coroutine[Any, Any, None]]) -> None:
    asyncio.run(story())


async def until(question: Callable[[], Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not question():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.01)


def ask(recorder: Recorder, request: str, cell_id: str, code: str, session: str = "page") -> None:
    rest = [{"cellId": cell_id}, {"code": code}]
    recorder.ask(KERNEL, {"msg_id": request, "session": session}, lambda: rest)


def say(recorder: Recorder, request: str, kind: str, **content: Any) -> None:
    told = (content, len(json.dumps(content)))
    recorder.take(KERNEL, {"msg_type": kind, "msg_id": f"{kind}-{time.time()}"}, {"msg_id": request}, lambda: told)


def execute(recorder: Recorder, request: str = "1", cell_id: str = "a", code: str = "1", text: str = "one\n") -> None:
    ask(recorder, request, cell_id, code)
    say(recorder, request, "execute_input", execution_count=1)
    say(recorder, request, "stream", name="stdout", text=text)


def idle(recorder: Recorder, request: str = "1") -> None:
    say(recorder, request, "status", execution_state="idle")


def test_a_run_that_ends_after_its_page_was_closed_is_written_and_forgotten(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        recorder.leave(KERNEL, "page", cleanly=True)
        await asyncio.sleep(0.1)
        assert texts(scene.file) == ["", ""]
        idle(recorder)
        await until(lambda: texts(scene.file) == ["one\n", ""])
        await until(lambda: not recorder.kernels[KERNEL].recording.runs)
        await until(lambda: not list((scene.folder / "runs").glob("*.json")))
        assert (scene.ended, scene.lines) == (["1 done"], [])

    run(story)


def test_nothing_is_written_while_a_page_is_there_and_what_it_saves_is_forgotten(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        idle(recorder)
        await asyncio.sleep(0.2)
        assert texts(scene.file) == ["", ""]
        runs, written = await recorder.runs_of(KERNEL)
        assert ([each.id for each in runs], written) == (["1"], None)
        os.utime(scene.file, (time.time() + 60,) * 2)
        await until(lambda: not recorder.kernels[KERNEL].recording.runs)
        assert texts(scene.file) == ["", ""]

    run(story)


def test_of_a_page_that_was_cut_off_the_notebook_is_left_alone_for_a_while(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        recorder.leave(KERNEL, "page", cleanly=False)
        idle(recorder)
        await asyncio.sleep(0.2)
        assert texts(scene.file) == ["", ""]
        recorder.join(KERNEL, "page", hears_all=False)
        (each,), _ = await recorder.runs_of(KERNEL)
        assert each.is_missed
        recorder.leave(KERNEL, "page", cleanly=True)
        await until(lambda: texts(scene.file) == ["one\n", ""])

    run(story)


def test_a_page_that_hears_all_has_missed_nothing(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        recorder.leave(KERNEL, "page", cleanly=False)
        recorder.join(KERNEL, "page", hears_all=True)
        (each,), _ = await recorder.runs_of(KERNEL)
        assert not each.is_missed

    run(story)


@pytest.mark.parametrize(("seconds_ago", "is_missed"), [(0, True), (timing.LOST_SECONDS + 10, False)])
@pytest.mark.parametrize("is_noticed", [True, False])
def test_a_page_whose_line_broke_may_have_missed_what_was_on_its_way(
    scene: Scene, seconds_ago: float, is_missed: bool, is_noticed: bool
) -> None:
    """By the page first, or by the server."""

    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        idle(recorder)
        recorder.kernels[KERNEL].recording.runs["1"].ended = time.time() - seconds_ago
        if is_noticed:
            recorder.leave(KERNEL, "page", cleanly=False, was_told=False)
        recorder.join(KERNEL, "page", hears_all=True, replaces=not is_noticed)
        (each,), _ = await recorder.runs_of(KERNEL)
        assert each.is_missed == is_missed

    run(story)


def test_a_page_that_holds_the_notebook_as_it_was_before_is_shown_what_was_written(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        before = recorder.notebooks.contents.errands and await recorder.notebooks.contents.get(
            "work/a.ipynb", content=False, require_hash=True
        )
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        recorder.leave(KERNEL, "page", cleanly=True)
        idle(recorder)
        await until(lambda: texts(scene.file) == ["one\n", ""])
        await until(lambda: recorder.kernels[KERNEL].written)
        recorder.join(KERNEL, "page", hears_all=False)
        (each,), written = await recorder.runs_of(KERNEL, before["hash"])
        assert (each.id, each.is_missed) == ("1", True)
        after = await recorder.notebooks.contents.get("work/a.ipynb", content=False, require_hash=True)
        assert written and written.after == after["hash"]
        assert await recorder.runs_of(KERNEL, after["hash"]) == ([], None)
        assert await recorder.runs_of(KERNEL) == ([], None)

    run(story)


def test_what_somebody_changed_before_a_page_comes_is_kept_beside(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        execute(recorder, "2", "b", "2", "two\n")
        recorder.leave(KERNEL, "page", cleanly=False)
        idle(recorder)
        idle(recorder, "2")
        await until(lambda: recorder.kernels[KERNEL].recording.runs["1"].before)
        write(scene.file, cell("a", "1 + 1"), cell("b", "2"))
        recorder.join(KERNEL, "other", hears_all=False)
        runs, _ = await recorder.runs_of(KERNEL)
        assert [each.id for each in runs] == ["2"]
        (copy,) = (scene.folder / "root/work").glob("a.outputs-*.ipynb")
        assert texts(copy) == ["", "one\n"]
        assert len(scene.lines) == 1

    run(story)


@pytest.mark.parametrize("has_page", [False, True])
def test_a_kernel_s_end_is_told_in_the_cell(scene: Scene, has_page: bool) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        if not has_page:
            recorder.leave(KERNEL, "page", cleanly=True)
        recorder.lose(KERNEL, "It wanted more memory.")
        if has_page:
            recorder.leave(KERNEL, "page", cleanly=True)
        await until(lambda: texts(scene.file) == ["one\n", ""])
        assert "".join(cells_in(scene.file)[0]["outputs"][1]["text"]) == "It wanted more memory.\n"
        await until(lambda: KERNEL not in recorder.kernels)
        assert scene.ended == ["1 killed"]

    run(story)


def test_a_stop_writes_what_has_no_page_and_keeps_the_rest_for_the_next_start(scene: Scene) -> None:
    async def first() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        await until(lambda: recorder.kernels[KERNEL].place)
        await recorder.stop()

    async def second() -> None:
        recorder = scene.recorder()
        recorder.resume()
        (each,) = recorder.kernels.values()
        assert (each.recording.ended()[0].outcome, texts(scene.file)) == ("killed", ["", ""])
        each.patience = 0
        each.news.set()
        await until(lambda: texts(scene.file) == ["one\n", ""])
        (told,) = cells_in(scene.file)[0]["outputs"][1:]
        assert "".join(told["text"]) == f"{timing.STOPPED}\n"

    run(first)
    run(second)


def test_after_a_power_cut_what_was_put_out_until_then_is_there(scene: Scene) -> None:
    async def first() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        await until(lambda: list((scene.folder / "runs").glob("*.json")))

    async def second() -> None:
        recorder = scene.recorder()
        recorder.resume()
        recorder.join("another", "page", hears_all=False)
        (each,), _ = await recorder.runs_of("another")
        assert [output["text"] for output in each.outputs.as_list()] == ["one\n", f"{timing.KILLED}\n"]

    run(first)
    run(second)


def test_a_stop_that_finds_no_page_writes_at_once(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        recorder.leave(KERNEL, "page", cleanly=True)
        await until(lambda: recorder.kernels[KERNEL].recording.runs["1"].before)
        await recorder.stop()
        assert texts(scene.file) == ["one\n", ""]

    run(story)


def test_a_disk_that_takes_nothing_is_told_once_and_tried_again(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        (scene.folder / "runs").write_text("no folder")
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        recorder.leave(KERNEL, "page", cleanly=True)
        await until(lambda: recorder.kernels[KERNEL].recording.runs["1"].before)
        for n in range(5):
            say(recorder, "1", "stream", name="stdout", text=f"{n}\n")
            await asyncio.sleep(0.05)
        assert len(scene.lines) == 1
        assert "Kernels run on" in scene.lines[0]
        idle(recorder)
        await until(lambda: texts(scene.file)[0].endswith("4\n"))

    run(story)


def test_a_kernel_of_no_notebook_costs_nothing(scene: Scene) -> None:
    scene.path = None

    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        say(recorder, "unknown", "stream", name="stdout", text="x")
        recorder.leave(KERNEL, "page", cleanly=True)
        assert await recorder.runs_of(KERNEL) == ([], None)
        recorder.lose(KERNEL)
        await until(lambda: KERNEL not in recorder.kernels)

    run(story)


class HeldUp(Store):
    """A disk on which a run is kept only after it was forgotten."""

    has_begun, is_forgotten = threading.Event(), threading.Event()

    def write(self, path: str, told: dict[str, Any], more: dict[str, Any]) -> bool:
        self.has_begun.set()
        assert self.is_forgotten.wait(SECONDS)
        return super().write(path, told, more)

    def forget(self, run_id: str) -> None:
        super().forget(run_id)
        self.is_forgotten.set()


def test_what_is_forgotten_while_it_is_kept_does_not_come_back(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.store = store = HeldUp(scene.folder / "runs")
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        await until(lambda: recorder.kernels[KERNEL].place)
        await until(store.has_begun.is_set)
        kernel = recorder.kernels[KERNEL]
        await recorder._forget(kernel, list(kernel.recording.runs.values()))
        await until(lambda: recorder.storing and recorder.storing.done())
        assert list(store.read()) == []

    run(story)


def test_a_fault_of_the_recorder_s_is_one_line_and_no_more(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        for _ in range(3):
            recorder.ask(KERNEL, {"msg_id": "1", "session": "page"}, lambda: json.loads("no message"))
            recorder.ask(KERNEL, {"msg_id": "1", "session": "page"}, lambda: [None, "odd"])
        recorder.take(KERNEL, {}, None, lambda: 1 / 0)
        # With it, the page could read nothing of what it is told.
        recorder.take(KERNEL, {"msg_type": "update_display_data"}, {}, partial(timing.unpacked, b'{"data": NaN}'))
        recorder.answer("unknown")
        assert [line.split(":")[0] for line in scene.lines] == ["What a cell puts out could not be recorded"] * 3
        execute(recorder)
        idle(recorder)
        assert scene.ended == ["1 done"]

    run(story)


def test_a_cell_that_another_kernel_runs_again_has_one_record(scene: Scene) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        recorder.join(KERNEL, "page", hears_all=False)
        execute(recorder)
        ask(recorder, "2", "b", "2")
        await until(lambda: recorder.kernels[KERNEL].place)
        recorder.lose(KERNEL, "The kernel was shut down.")
        recorder.join("another", "page", hears_all=False)
        rest = [{"cellId": "b"}, {"code": "2"}]
        recorder.ask("another", {"msg_id": "3", "session": "page"}, lambda: rest)
        await until(lambda: "2" not in recorder.kernels[KERNEL].recording.runs)
        runs, _ = await recorder.runs_of("another")
        assert [(run.id, run.cell) for run in runs] == [("1", "a"), ("3", "b")]

    run(story)


def show(recorder: Recorder, text: str, kind: str = "display_data", request: str = "1") -> None:
    say(recorder, request, kind, data={"text/plain": text}, metadata={}, transient={"display_id": "bar"})


def displayed(file: Path) -> list[Any]:
    return [["".join(output["data"]["text/plain"]) for output in each["outputs"]] for each in cells_in(file)]


async def saved_display(scene: Scene, recorder: Recorder, by_page: bool) -> None:
    """A cell whose display is in the notebook, and a second one that runs; nobody looks any more."""
    recorder.join(KERNEL, "page", hears_all=False)
    ask(recorder, "1", "a", "1")
    say(recorder, "1", "execute_input", execution_count=1)
    show(recorder, "0 %")
    ask(recorder, "2", "b", "2")
    if by_page:
        idle(recorder)
        output = {"output_type": "display_data", "data": {"text/plain": "0 %"}, "metadata": {}}
        write(scene.file, cell("a", "1", [output], execution_count=1), cell("b", "2"))
        os.utime(scene.file, (time.time() + 60,) * 2)
    recorder.leave(KERNEL, "page", cleanly=True)
    if not by_page:
        idle(recorder)
    await until(lambda: displayed(scene.file) == [["0 %"], []])
    kernel = recorder.kernels[KERNEL]
    await until(
        lambda: (each := kernel.recording.shown.get("1")) and each.before and not timing.goes_on(kernel.looking)
    )


@pytest.mark.parametrize("by_page", [True, False])
def test_a_display_that_a_later_cell_changes_is_saved_once_more(scene: Scene, by_page: bool) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        await saved_display(scene, recorder, by_page)
        for n in range(1, 10):
            show(recorder, f"{n} %", "update_display_data", "2")
        runs, _ = await recorder.runs_of(KERNEL)
        assert [run.id for run in runs] == ["1", "2"]
        recorder.join(KERNEL, "other", hears_all=False)
        recorder.leave(KERNEL, "other", cleanly=True)
        await until(lambda: recorder.kernels[KERNEL].recording.stale["1"].before)
        idle(recorder, "2")
        await until(lambda: displayed(scene.file) == [["9 %"], []])
        await until(lambda: not recorder.kernels[KERNEL].recording.runs)
        assert scene.lines == []

    run(story)


@pytest.mark.parametrize("cleared", [cell("a", "1"), cell("a", "1 + 1")])
def test_a_display_that_a_person_has_cleared_does_not_come_back(scene: Scene, cleared: dict[str, Any]) -> None:
    async def story() -> None:
        recorder = scene.recorder()
        await saved_display(scene, recorder, by_page=True)
        recorder.join(KERNEL, "other", hears_all=False)
        write(scene.file, cleared, cell("b", "2"))
        recorder.leave(KERNEL, "other", cleanly=True)
        await until(lambda: not recorder.kernels[KERNEL].recording.shown)
        show(recorder, "9 %", "update_display_data", "2")
        idle(recorder, "2")
        await until(lambda: not recorder.kernels[KERNEL].recording.runs)
        assert (displayed(scene.file), scene.lines) == ([[], []], [])

    run(story)
