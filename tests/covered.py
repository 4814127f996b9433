"""Prints how much of each room the tests without Docker have run, after `coverage combine`."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from coverage import Coverage

from tests.unit.test_rooms import ENTRYPOINT, ROOMS


def main() -> None:
    coverage = Coverage()
    coverage.load()
    rooms = {room: lines(coverage, room) for room in ROOMS}
    print(f"{'room':<14}{'lines':>7}{'run':>7}{'share':>8}")
    for room, (held, run) in {**rooms, "all": total(rooms.values())}.items():
        print(f"{room:<14}{held:>7}{run:>7}{run / held:>8.0%}")


def lines(coverage: Coverage, room: str) -> tuple[int, int]:
    """How many statements a room's modules hold, and how many of them ran."""
    return total(statements(coverage, path) for path in (ENTRYPOINT / room).rglob("*.py"))


def statements(coverage: Coverage, path: Path) -> tuple[int, int]:
    _, held, _, missing, _ = coverage.analysis2(str(path))
    return len(held), len(held) - len(missing)


def total(counts: Iterable[tuple[int, int]]) -> tuple[int, int]:
    held, run = (sum(each) for each in zip(*counts, strict=True))
    return held, run


if __name__ == "__main__":
    main()
