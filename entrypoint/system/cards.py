"""NVIDIA's cards: what is told of each, by the kernels' server and wherever it is read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from entrypoint.system.memory import in_gib

CARDS_MAX = 64
GIBIBYTE = 1 << 30


@dataclass(frozen=True)
class Card:
    """One card, and what of it is taken; sizes in bytes."""

    name: str
    used: int
    memory: int


def card_lines(cards: tuple[Card, ...]) -> Iterator[str]:
    for card in cards:
        yield f"{card.name}: {card.used / GIBIBYTE:.1f} of {in_gib(card.memory)} taken"
