"""Says each cause of trouble once, however often it is met, until it has been mended in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

# With none met for so long, all count as mended, and are said again when they come back.
MENDED_AFTER = timedelta(minutes=1)


class Causes:
    """What has been said, and when a cause was last met."""

    def __init__(self, say: Callable[[str], None], said: Iterable[str] = ()) -> None:
        self.say, self._said = say, set(said)
        self._met: datetime | None = None

    def meet(self, line: str, now: datetime) -> None:
        self._met = now
        if line not in self._said:
            self._said.add(line)
            self.say(line)

    def forget_mended(self, now: datetime) -> None:
        if self._met and not timedelta() <= now - self._met < MENDED_AFTER:
            self._met = None
            self._said.clear()
