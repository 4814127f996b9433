"""The rooms where strangers' connections wait: few places, and none that can be kept by taking time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.strangers.caller import greeting_bytes
from entrypoint.strangers.rooms import Room, Rooms, Visitor

SECONDS = 10.0


class Guest(Visitor):
    """A visitor that hangs up when it has to."""

    has_left = False

    def give_way(self) -> None:
        self.has_left = True
        self.leave()


def admitted(room: Room, group: str, count: int, now: float = 0.0) -> list[Guest]:
    guests = [Guest(group) for _ in range(count)]
    for guest in guests:
        guest.enter(room, now)
    return guests


def test_one_group_has_half_of_the_places() -> None:
    room = Room(10, SECONDS)
    earlier, crowd = admitted(room, "a", 1), admitted(room, "b", 1000)
    assert not earlier[0].has_left
    assert [guest.has_left for guest in crowd] == [True] * 995 + [False] * 5


def test_where_no_place_is_left_the_one_that_has_waited_longest_goes() -> None:
    room = Room(3, SECONDS)
    guests = [guest for group in "abcde" for guest in admitted(room, group, 1)]
    assert [guest.has_left for guest in guests] == [True, True, False, False, False]


def test_who_moves_on_is_in_nobody_s_way() -> None:
    first, second = Room(2, SECONDS), Room(2, SECONDS)
    (prompt,) = admitted(first, "a", 1)
    prompt.enter(second, 1.0)
    admitted(first, "a", 100)
    assert not prompt.has_left
    assert (len(first), len(second)) == (1, 1)


def test_a_member_takes_no_place() -> None:
    room = Room(2, SECONDS)
    (member,) = admitted(room, "a", 1)
    member.is_member = True
    member.enter(room, 1.0)
    admitted(room, "a", 100)
    room.end_waiting(1e9)
    assert not member.has_left
    assert len(room) == 0


def test_waiting_ends() -> None:
    room = Room(10, SECONDS)
    early, late = admitted(room, "a", 2, 0.0), admitted(room, "a", 2, 5.0)
    room.end_waiting(SECONDS)
    assert [guest.has_left for guest in early + late] == [True, True, False, False]


@pytest.mark.parametrize("files", [64, 256, 1024, 20_000, 1_048_576])
def test_half_of_the_files_are_left_for_logins_and_kernels(files: int) -> None:
    rooms = Rooms(files)
    assert all(room.places >= 1 for room in rooms.all)
    assert sum(room.places for room in rooms.all) <= files / 2


def test_the_one_of_whom_least_is_lost_makes_room() -> None:
    rooms = Rooms(1024)
    (answered,), (silent,) = admitted(rooms.answered, "a", 1, 0.0), admitted(rooms.silent, "a", 1, 1.0)
    assert rooms.make_room()
    assert (answered.has_left, silent.has_left) == (False, True)
    assert rooms.make_room()
    assert not rooms.make_room()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["enter", "leave", "wait"])), max_size=200))
def test_whoever_comes_and_goes_there_are_never_more_than_places(steps: list[tuple[str, str]]) -> None:
    room, guests, now = Room(6, SECONDS), list[Guest](), 0.0
    for group, step in steps:
        now += 1.0 if step == "wait" else 0.0
        if step == "enter":
            guests += admitted(room, group, 1, now)
        elif step == "leave" and guests:
            guests.pop(0).leave()
        room.end_waiting(now)
        there = [guest for guest in guests if guest.room]
        assert len(there) == len(room) <= 6
        assert all(sum(guest.group == name for guest in there) <= 3 for name in "abc")


@pytest.mark.parametrize(
    ("start", "count"),
    [
        (b"", 5),
        (b"\x16\x03\x01", 5),
        (b"\x16\x03\x01\x02\x00", 517),
        (b"\x16\x03\x01\x02\x00" + b"x" * 600, 517),
        (b"\x16\x03\x01\xff\xff", 5),
        (b"GET / HTTP/1.1", 5),
        (b"\x00\x00\x00\x00\x00", 5),
    ],
)
def test_a_greeting_is_as_long_as_its_record_says_and_anything_else_is_openssl_s_affair(
    start: bytes, count: int
) -> None:
    assert greeting_bytes(start) == count


@given(st.binary(max_size=100))
def test_no_greeting_makes_anybody_wait_for_more_than_a_record(start: bytes) -> None:
    assert 5 <= greeting_bytes(start) <= 5 + 2**14
