"""The outputs of an execution: as JupyterLab makes them of a kernel's messages, and bounded."""

from __future__ import annotations

from typing import Any

import pytest

from entrypoint.recorder import outputs
from entrypoint.recorder.outputs import Outputs

Message = tuple[str, dict[str, Any]]


def stream(text: Any, name: Any = "stdout") -> Message:
    return "stream", {"name": name, "text": text}


def display(text: str, display_id: str | None = None) -> Message:
    return "display_data", {"data": {"text/plain": text}, "metadata": {}, "transient": {"display_id": display_id}}


def taken(*messages: Message) -> Outputs:
    told = Outputs()
    for kind, content in messages:
        told.add(kind, content, 10)
    return told


def texts(told: Outputs) -> list[Any]:
    return [each.get("text") or each.get("data", {}).get("text/plain") or each.get("evalue") for each in told.as_list()]


def test_one_stream_is_one_output_until_another_comes() -> None:
    told = taken(stream("a"), stream("b\n"), stream("!", "stderr"), stream("c"))
    assert [(each["name"], each["text"]) for each in told.as_list()] == [
        ("stdout", "ab\n"),
        ("stderr", "!"),
        ("stdout", "c"),
    ]


def test_ten_equal_displays_are_ten() -> None:
    assert texts(taken(*[display("x", "same")] * 10)) == ["x"] * 10


def test_a_display_is_changed_wherever_it_stands() -> None:
    told = taken(display("old", "bar"), display("other"), display("old", "bar"))
    assert told.update(display("new", "bar")[1], 10)
    assert texts(told) == ["new", "other", "new"]
    assert not told.update(display("new", "unknown")[1], 10)


def test_outputs_are_cleared_at_once_or_with_the_next() -> None:
    assert texts(taken(stream("a"), ("clear_output", {"wait": False}))) == []
    assert texts(taken(stream("a"), ("clear_output", {"wait": True}))) == ["a"]
    assert texts(taken(stream("a"), ("clear_output", {"wait": True}), stream("b"))) == ["b"]


def test_an_error_and_a_result_are_kept_as_a_notebook_keeps_them() -> None:
    error = {"ename": "ValueError", "evalue": "no", "traceback": ["line"]}
    result = {"execution_count": 3, "data": {"text/plain": "3"}, "metadata": {}, "transient": {}}
    assert taken(("error", error), ("execute_result", result)).as_list() == [
        {"output_type": "error", **error},
        {"output_type": "execute_result", "execution_count": 3, "data": {"text/plain": "3"}, "metadata": {}},
    ]


@pytest.mark.parametrize(
    "message",
    [
        ("stream", {}),
        stream(3),
        stream("a", "elsewhere"),
        stream("a", ["stdout"]),
        ("comm_msg", {"data": {}}),
        ("status", {"execution_state": "busy"}),
    ],
)
def test_what_is_no_output_is_passed_over(message: Message) -> None:
    assert taken(message).as_list() == []


@pytest.mark.parametrize("content", [{}, {"data": 3, "metadata": "x", "transient": []}, {"data": None}])
def test_an_output_that_makes_no_sense_is_an_empty_one(content: dict[str, Any]) -> None:
    (output,) = taken(("display_data", content)).as_list()
    assert output == {"output_type": "display_data", "data": {}, "metadata": {}}
    (error,) = taken(("error", {"traceback": "no list", **content})).as_list()
    assert error["traceback"] == []


def test_of_very_many_outputs_the_first_and_the_last_stay() -> None:
    told = taken(*(display(str(n)) for n in range(5000)))
    shown = texts(told)
    assert (shown[0], shown[-1]) == ("0", "4999")
    assert len(shown) == outputs.FIRST_MAX + outputs.LAST_MAX + 1
    assert shown[outputs.FIRST_MAX] == "[4,000 outputs are left out here: Workhorse keeps the first and the last.]\n"


def test_of_outputs_that_are_too_large_together_the_last_stay() -> None:
    told = Outputs()
    for n in range(10):
        told.add(*display(str(n)), outputs.ONE_BYTES_MAX // 2)
    shown = texts(told)
    assert (shown[0], shown[-1]) == ("0", "9")
    assert "outputs are left out here" in "".join(shown)


def test_one_that_is_too_large_by_itself_is_told() -> None:
    told = Outputs()
    told.add(*display("huge"), outputs.ONE_BYTES_MAX + 1)
    assert texts(told) == [f"[An output of {outputs.ONE_BYTES_MAX + 1:,} bytes is left out here.]\n"]


def test_the_last_line_is_that_of_a_text_or_an_error() -> None:
    assert taken(stream("epoch 1\nepoch 2\n"), display("figure")).last_line == "epoch 2"
    assert taken(stream("a\n"), ("error", {"ename": "E", "evalue": "why"})).last_line == "E: why"
    assert Outputs().last_line == ""
