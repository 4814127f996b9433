"""The executions of a kernel, from the request to the end."""

from __future__ import annotations

from typing import Any

import pytest

from entrypoint.recorder import runs
from entrypoint.recorder.runs import RUNS_MAX, Recording, Run
from tests.unit.recorder.told import ask, execute, say


def test_a_cell_waits_runs_and_is_done() -> None:
    ended: list[Run] = []
    recording = Recording(ended.append)
    ask(recording, "first")
    run = recording.runs["first"]
    assert (run.state, run.outcome, run.count) == ("queued", None, None)
    say(recording, "first", "status", execution_state="busy")
    say(recording, "first", "execute_input", execution_count=7)
    assert (run.state, run.count) == ("running", 7)
    say(recording, "first", "stream", name="stdout", text="2\n")
    say(recording, "first", "status", now=9.0, execution_state="idle")
    assert (run.state, run.outcome, run.ended) == ("ended", "done", 9.0)
    assert ended == [run]


def test_an_error_fails_it_and_what_waited_is_stopped() -> None:
    recording = Recording()
    ask(recording, "first", cell="a")
    ask(recording, "second", cell="b")
    say(recording, "first", "execute_input", execution_count=1)
    say(recording, "first", "error", ename="E", evalue="v", traceback=[])
    for request in ("first", "second"):
        say(recording, request, "status", execution_state="idle")
    assert [run.outcome for run in recording.runs.values()] == ["failed", "stopped"]


def test_with_its_kernel_a_cell_ends_and_says_by_what() -> None:
    recording = Recording()
    ask(recording, "first", cell="a")
    ask(recording, "second", cell="b")
    say(recording, "first", "execute_input", execution_count=1)
    recording.end("The kernel died.", now=5.0)
    first, second = recording.runs.values()
    assert (first.outcome, second.outcome) == ("killed", "stopped")
    assert first.outputs.as_list() == [{"output_type": "stream", "name": "stderr", "text": "The kernel died.\n"}]
    assert second.outputs.as_list() == []


def test_a_cell_that_is_run_again_has_one_record() -> None:
    recording = Recording()
    execute(recording, "first", "old")
    ask(recording, "second")
    assert list(recording.runs) == ["second"]


def test_after_its_end_nothing_is_added_but_a_display_may_change() -> None:
    recording = Recording()
    ask(recording, "first")
    say(recording, "first", "execute_input", execution_count=1)
    say(recording, "first", "display_data", data={"text/plain": "0 %"}, metadata={}, transient={"display_id": "bar"})
    say(recording, "first", "status", execution_state="idle")
    assert not say(recording, "first", "stream", name="stdout", text="late")
    assert say(recording, "another", "update_display_data", data={"text/plain": "9 %"}, transient={"display_id": "bar"})
    assert [each["data"] for each in recording.runs["first"].outputs.as_list()] == [{"text/plain": "9 %"}]


def test_a_question_is_kept_until_somebody_answers() -> None:
    recording = Recording()
    ask(recording, "first")
    say(recording, "first", "execute_input", execution_count=1)
    run = recording.runs["first"]
    assert recording.ask_for_input({"content": {}}, {"msg_id": "first"}) is run
    assert run.as_json()["prompt"] == {"content": {}}
    recording.answered()
    assert run.prompt is None
    assert recording.ask_for_input({}, {"msg_id": "unknown"}) is None


@pytest.mark.parametrize(
    ("header", "metadata", "content"),
    [
        ({}, {"cellId": "a"}, {"code": ""}),
        ({"msg_id": "1", "session": "s"}, {}, {"code": ""}),
        ({"msg_id": "1", "session": "s"}, {"cellId": 3}, {"code": ""}),
        ({"msg_id": "1", "session": "s"}, {"cellId": "x" * 65}, {"code": ""}),
        ({"msg_id": "1", "session": "s"}, {"cellId": ""}, {"code": ""}),
        ({"msg_id": "1", "session": "s"}, {"cellId": "a"}, {"code": "", "silent": True}),
    ],
)
def test_what_is_no_cell_s_is_not_recorded(header: Any, metadata: Any, content: Any) -> None:
    recording = Recording()
    recording.ask(header, metadata, content, now=0.0)
    assert recording.runs == {}


def test_no_more_runs_are_kept_than_a_page_could_show() -> None:
    recording = Recording()
    for n in range(RUNS_MAX + 5):
        ask(recording, str(n), cell=f"cell-{n}")
    assert len(recording.runs) == RUNS_MAX


@pytest.mark.parametrize("content", [None, [], "text", 3])
def test_what_a_kernel_says_without_sense_changes_nothing(content: Any) -> None:
    recording = Recording()
    ask(recording, "first")
    for kind in ("stream", "execute_input", "status", "error", "display_data"):
        recording.take({"msg_type": kind}, {"msg_id": "first"}, lambda: (content, 1), now=1.0)
    assert recording.runs["first"].state == "queued"


def test_runs_take_bounded_room_together_and_the_last_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "BYTES_MAX", 2000)
    recording = Recording()
    for n in range(10):
        execute(recording, str(n), "x" * 300, cell=str(n))
    assert sum(run.outputs.size for run in recording.runs.values()) < 3000
    first, last = (recording.runs[each].outputs.as_list()[0]["text"] for each in ("0", "9"))
    assert first.startswith("[About 300 bytes are left out here")
    assert last == "x" * 300


def test_a_kernel_that_is_killed_before_its_first_word_tells_so_in_the_cell_whose_turn_it_was() -> None:
    recording = Recording()
    ask(recording, "first", cell="a")
    ask(recording, "second", cell="b")
    recording.end("Killed for memory.", now=5.0)
    assert [run.outcome for run in recording.runs.values()] == ["killed", "stopped"]
    assert "Killed for memory." in str(recording.runs["first"].outputs.as_list())


def test_of_saved_displays_the_last_may_change_and_none_of_a_former_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "SHOWN_MAX", 2)
    recording = Recording()
    for name in "abc":
        ask(recording, name, cell=name)
        say(recording, name, "display_data", data={"text/plain": name}, metadata={}, transient={"display_id": name})
        say(recording, name, "status", execution_state="idle")
        recording.keep_shown([recording.runs[name]])
    assert (list(recording.runs), list(recording.shown)) == ([], ["b", "c"])
    recording.end("The kernel died.", now=5.0)
    assert recording.known() == []
