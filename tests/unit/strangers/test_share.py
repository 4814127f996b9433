"""Strangers' share of the log: little in any hour, and what is left out is counted."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st

from entrypoint.strangers.behalf import for_a_stranger, in_own_name
from entrypoint.strangers.share import BYTES_AN_HOUR, FULL, HOUR_SECONDS, Share, SharedStream


class Clock:
    """A clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def stream(clock: Clock) -> SharedStream:
    shared = SharedStream(io.BytesIO(), "utf-8", write_through=True)
    shared.share = Share(clock)
    return shared


def text_of(shared: SharedStream) -> str:
    buffer = shared.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode()


def test_what_is_the_server_s_own_is_written_whole() -> None:
    shared = stream(Clock())
    for _ in range(1000):
        shared.write("own\n")
    assert text_of(shared) == "own\n" * 1000


def test_of_what_strangers_bring_about_the_beginning_is_written_and_the_rest_is_counted_once_an_hour() -> None:
    clock = Clock()
    shared = stream(clock)
    with for_a_stranger():
        for _ in range(1000):
            shared.write("x" * 99 + "\n")
    assert text_of(shared) == ("x" * 99 + "\n") * (BYTES_AN_HOUR // 100) + FULL
    clock.now = HOUR_SECONDS
    shared.write("own\n")
    left_out = 1000 - BYTES_AN_HOUR // 100
    assert text_of(shared).endswith(
        f"{FULL}{left_out} lines that strangers brought about were left out of the log.\nown\n"
    )


def test_the_server_s_own_line_comes_through_whoever_was_its_occasion() -> None:
    shared = stream(Clock())
    with for_a_stranger():
        shared.write("x" * 2 * BYTES_AN_HOUR)
        in_own_name(shared.write, "A wrong password\n")
        shared.write("y")
    assert text_of(shared) == f"{FULL}A wrong password\n"


@given(st.lists(st.tuples(st.text(max_size=200), st.floats(0, 60)), max_size=100))
def test_no_text_and_no_pace_writes_more_in_an_hour(lines: list[tuple[str, float]]) -> None:
    clock = Clock()
    shared = stream(clock)
    with for_a_stranger():
        for line, pause in lines:
            shared.write(line.encode(errors="replace").decode())
            clock.now += pause
    hours = 1 + clock.now // HOUR_SECONDS
    assert len(text_of(shared).encode()) <= hours * (BYTES_AN_HOUR + 2 * len(FULL))
