"""Says each cause of trouble once, however often it is met, until it has been mended in between."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta

# What isn't met for so long counts as mended, and is said again when it comes back.
MENDED_AFTER = timedelta(minutes=1)


class Causes:
    """What has been said, and when each cause was last met."""

    def __init__(self, say: Callable[[str], None], said: Iterable[str] = ()) -> None:
        self.say = say
        self._met: dict[str, datetime | None] = dict.fromkeys(said)

    def meet(self, line: str, now: datetime) -> None:
        is_new = line not in self._met
        self._met[line] = now
        if is_new:
            self.say(line)

    def forget_mended(self, now: datetime) -> None:
        """Each by itself: one that lasts must not silence another that comes back."""
        # What was said elsewhere counts from the first look on.
        met = {line: at or now for line, at in self._met.items()}
        self._met = {line: at for line, at in met.items() if timedelta() <= now - at < MENDED_AFTER}
