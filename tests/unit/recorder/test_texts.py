"""A stream's text: as JupyterLab shows it, and bounded."""

from __future__ import annotations

import pytest

from entrypoint.recorder.texts import LINE_MAX, BoundedText


def written(*parts: str, beginning_max: int = 1000, end_max: int = 1000) -> BoundedText:
    text = BoundedText(beginning_max, end_max)
    for part in parts:
        text.write(part)
    return text


@pytest.mark.parametrize(
    ("parts", "shown"),
    [
        (["a", "b\n", "c"], "ab\nc"),
        (["10%\r", "20%\r", "100%\n"], "100%\n"),
        (["long line\rshort"], "shortline"),
        (["abc\b\bX"], "aX"),
        (["a\n\b\bb"], "a\nb"),
        (["abc\rX\n", "d"], "Xbc\nd"),
        (["a\r\nb"], "a\nb"),
        (["\r"], ""),
    ],
)
def test_what_is_overwritten_is_gone_as_in_the_page(parts: list[str], shown: str) -> None:
    assert str(written(*parts)) == shown


def test_of_a_long_text_the_beginning_and_the_end_stay_and_it_says_how_much_does_not() -> None:
    lines = [f"line {n}\n" for n in range(1000)]
    shown = str(written(*lines, beginning_max=100, end_max=100)).splitlines()
    assert shown[0] == "line 0"
    assert shown[-1] == "line 999"
    (note,) = (line for line in shown if "left out" in line)
    left_out = sum(map(len, lines)) - sum(len(f"{line}\n") for line in shown if line != note)
    assert note == f"[{left_out:,} characters are left out here: Workhorse keeps the beginning and the end.]"


@pytest.mark.parametrize("part", ["x", "\rx", "x\b", "0123456789" * LINE_MAX, "line\n"])
def test_whatever_is_written_for_a_night_takes_bounded_room(part: str) -> None:
    text = written(*[part] * 20, beginning_max=4 * LINE_MAX, end_max=4 * LINE_MAX)
    before = text.size
    for _ in range(20):
        text.write(part)
    assert text.size <= max(before, 9 * LINE_MAX) + 20 * len("line\n")


def test_the_last_line_is_the_last_that_says_something() -> None:
    assert written("one\n", "two\n", "\n").last_line == "two"
    assert written("one\n", "  three").last_line == "three"
    assert written().last_line == ""
