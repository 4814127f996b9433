"""Repeated measurements and their spread, since one number from a busy machine says little."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

# Odd, so that the median is one of them.
RUNS = 7


@dataclass(frozen=True)
class Spread:
    """What one side measured, run by run."""

    samples: tuple[float, ...]

    @property
    def median(self) -> float:
        return median(self.samples)

    def text(self, decimals: int) -> str:
        low, high = min(self.samples), max(self.samples)
        return f"{self.median:.{decimals}f} ({low:.{decimals}f}..{high:.{decimals}f})"


@dataclass(frozen=True)
class Comparison:
    """One measurement of Workhorse and of its peer, each run of the one right before a run of the other."""

    name: str
    unit: str
    ours: Spread
    theirs: Spread
    aim: str = ""
    decimals: int = 2

    @property
    def ratio(self) -> Spread:
        return Spread(tuple(our / their for our, their in zip(self.ours.samples, self.theirs.samples, strict=True)))

    def times(self, factor: float, name: str) -> Comparison:
        ours, theirs = (Spread(tuple(factor * sample for sample in side.samples)) for side in (self.ours, self.theirs))
        return Comparison(name, self.unit, ours, theirs, self.aim, self.decimals)


def interleave(ours: Callable[[], float], theirs: Callable[[], float], runs: int = RUNS) -> tuple[Spread, Spread]:
    """Runs both sides by turns, so that whatever else the machine does meets both alike."""
    pairs = [(ours(), theirs()) for _ in range(runs)]
    return spreads(pairs)


def spreads(pairs: Sequence[tuple[float, float]]) -> tuple[Spread, Spread]:
    left, right = zip(*pairs, strict=True)
    return Spread(left), Spread(right)
