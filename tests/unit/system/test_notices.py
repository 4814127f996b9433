"""What a notebook may have told of a cell's end is bounded, and of one line, before it goes to a phone."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.system.notices import LINE_MAX, NAME_MAX, NOTICES_MAX, Notice, as_json, judged, plain

NOTICE = Notice("night.ipynb", "done", "Epoch 100: 0.93")


def test_what_is_told_is_what_is_read() -> None:
    notices = [NOTICE, Notice("a.ipynb", "killed", "")]
    assert judged(json.loads(json.dumps(as_json(notices)))) == notices


@pytest.mark.parametrize(
    "content",
    [None, 7, "text", {}, [7], [[]], [{}], [{"notebook": "a", "outcome": "hacked", "last_line": ""}],
     [{"notebook": 1, "outcome": "done", "last_line": ""}], [{"notebook": "a", "outcome": ["done"], "last_line": ""}],
     [{"notebook": "a", "outcome": "done"}]],
)  # fmt: skip
def test_what_is_no_notice_is_left_out(content: object) -> None:
    assert judged(content) == []


def test_no_more_are_read_than_an_answer_may_hold() -> None:
    assert len(judged(as_json([NOTICE] * 500))) == NOTICES_MAX


@given(st.text(), st.text())
def test_any_text_becomes_one_short_line_that_can_be_printed(notebook: str, last_line: str) -> None:
    (notice,) = judged([{"notebook": notebook * 50, "outcome": "failed", "last_line": last_line * 50}])
    for text, limit in ((notice.notebook, NAME_MAX), (notice.last_line, LINE_MAX)):
        assert len(text) <= limit
        assert text.isprintable()
        assert text == text.strip()


def test_colours_go_and_what_is_too_long_loses_its_end() -> None:
    assert plain("\x1b[1;31mred\x1b[0m\r\n\tand\x00 more\u202e", 100) == "red and more"
    assert plain("x" * 101, 100) == f"{'x' * 99}…"
