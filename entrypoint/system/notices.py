"""A long cell's end, as the kernels' server tells it to the door, which judges it; a notebook may have said it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

PATH = "/workhorse/notices"
Outcome = Literal["done", "failed", "killed"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# Of one answer. A name and a line may be as long as a phone shows.
NOTICES_MAX, BYTES_MAX = 20, 64 * 1024
NAME_MAX, LINE_MAX = 100, 200
# Colours and the like (ECMA-48, control sequences), whose letters would stay when their control character goes.
SEQUENCE = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")


@dataclass(frozen=True)
class Notice:
    """One end: the notebook's name, what became of it, and the last line that it has printed."""

    notebook: str
    outcome: Outcome
    last_line: str


def as_json(notices: list[Notice]) -> list[dict[str, Any]]:
    return [asdict(each) for each in notices]


def judged(content: object) -> list[Notice]:
    """What of an answer is of the form that it should be."""
    entries = content if isinstance(content, list) else []
    return [notice for notice in map(_judged, entries[:NOTICES_MAX]) if notice]


def _judged(content: object) -> Notice | None:
    told = content if isinstance(content, dict) else {}
    outcome = next((each for each in OUTCOMES if each == told.get("outcome")), None)
    notebook, last_line = told.get("notebook"), told.get("last_line")
    if outcome is None or not isinstance(notebook, str) or not isinstance(last_line, str):
        return None
    return Notice(plain(notebook, NAME_MAX), outcome, plain(last_line, LINE_MAX))


def plain(text: str, limit: int) -> str:
    """A line without anything that isn't printed, whose end is left out where it is too long."""
    # Far more than is shown, so that no text is worked on at length.
    text = SEQUENCE.sub("", text[: 10 * limit])
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    return line if len(line) <= limit else f"{line[: limit - 1]}…"
