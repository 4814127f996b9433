"""Keeps the limiter's counts in the volume, so that nobody gains a guess by making the server crash."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from concurrent.futures import Executor
from pathlib import Path

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted
from entrypoint.strangers.limiter import Limiter

# The most clients that a limiter may have take less than 3 MB.
BYTES_MAX = 4_000_000
BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


class KeptCounts:
    """The file with a limiter's counts.

    Args:
        desk: Where it is written, beside the event loop and one at a time.
    """

    def __init__(self, limiter: Limiter, path: Path, desk: Executor, log: logging.Logger) -> None:
        self.limiter, self.path, self.desk, self.log = limiter, path, desk, log
        self.boot = boot_id()
        self._is_asked = False
        self._writing: asyncio.Future[None]
        self._told = ""

    async def keep(self) -> None:
        """Returns once all that has been counted until now is kept; those who ask at once share one writing.

        The limiter itself bounds how often that is: as many guesses as it admits.
        """
        if not self._is_asked:
            self._is_asked = True
            self._writing = asyncio.get_running_loop().run_in_executor(self.desk, self._write_or_say)
        await asyncio.shield(self._writing)

    def _write_or_say(self) -> None:
        # First, so that what is counted from here on asks for another writing.
        self._is_asked = False
        try:
            write_private(self.path, to_json(self.limiter, self.boot, time.monotonic()).encode())
            self._told = ""
        except WorkhorseError as error:
            if self._told != str(error):
                self.log.warning("%s\n  Until then a restart forgets wrong guesses.", error)
            self._told = str(error)


def to_json(limiter: Limiter, boot: str, now: float) -> str:
    return json.dumps({"boot": boot, "now": now, **limiter.counts()})


def from_json(text: str, boot: str, now: float) -> Limiter:
    """The limiter that was kept.

    No clock that anybody sets has a part in it. The monotonic one runs on from one server to the next. After a start
    of the machine it goes on from where it was, as if no time had passed: that forgives nobody. However old the counts
    are that a restore brings back, nobody waits for longer than the longest wait.

    Raises:
        ValueError, TypeError, KeyError, AttributeError, RecursionError: It is no limiter's.
    """
    kept = json.loads(text)
    then = float(kept["now"])
    has_run_on = bool(boot) and kept["boot"] == boot and then <= now
    return Limiter.with_counts(kept, 0.0 if has_run_on else now - then, now)


def read_limiter(path: Path) -> Limiter:
    """The one that was kept; a fresh one where there is none or it is damaged, which whoever is logged in may do."""
    try:
        return from_json(read_untrusted(path, BYTES_MAX).decode(), boot_id(), time.monotonic())
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return Limiter()


def boot_id() -> str:
    """Another after each start of the machine; empty where that can't be told."""
    try:
        return BOOT_ID.read_text().strip()
    except OSError:
        return ""
