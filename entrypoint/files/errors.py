"""The one kind of error that a person is meant to read."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """What is wrong, and the line for `.env` or the command that mends it."""

    what: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.what}\n  {self.remedy}"


class WorkhorseError(Exception):
    """Ends the start with exit status 1; printed without a traceback."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: problem.what)
        super().__init__("\n".join(map(str, self.problems)))

    @classmethod
    def of(cls, what: str, remedy: str) -> WorkhorseError:
        return cls([Problem(what, remedy)])
