"""Strangers' share of the log: whatever they bring about and whichever way it is written, it is little."""

from __future__ import annotations

import asyncio
import io
import sys
import time
from collections.abc import Callable

from entrypoint.strangers.behalf import is_for_a_stranger

# One traceback and some lines: what tells of a fault of our own. The log keeps 30 MB, and so 10 months of it.
BYTES_AN_HOUR = 4096
HOUR_SECONDS = 3600
FULL = "What strangers bring about is left out of the log now, for up to an hour, since it would fill it.\n"


class Share:
    """What strangers may still write in this hour, and how much of it has been left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._begin()

    def _begin(self) -> None:
        self.ends = self.clock() + HOUR_SECONDS
        self.left = BYTES_AN_HOUR
        self.left_out = 0

    def take(self, text: str) -> str:
        """What to write of what a stranger has brought about: all, nothing, or once that there will be no more."""
        self.left -= len(text.encode(errors="replace"))
        if self.left >= 0:
            return text
        # Whatever its length, or what is short would go on to come.
        self.left = 0
        is_first = not self.left_out
        self.left_out += max(1, text.count("\n"))
        return FULL if is_first else ""

    def account(self) -> str:
        """Once an hour is over, what to say of it; another begins."""
        if self.clock() < self.ends:
            return ""
        left_out = self.left_out
        self._begin()
        return f"{left_out} lines that strangers brought about were left out of the log.\n" if left_out else ""


class SharedStream(io.TextIOWrapper):
    """A stream of the process, through which each of its lines passes."""

    share: Share

    def write(self, text: str) -> int:
        super().write(self.share.account() + (self.share.take(text) if is_for_a_stranger() else text))
        return len(text)


def share_streams() -> None:
    """To be called before anything keeps a stream to write to, as logging does."""
    share = Share()
    for name in ("stdout", "stderr"):
        own = getattr(sys, name)
        shared = SharedStream(own.buffer, own.encoding, own.errors, line_buffering=True)
        shared.share = share
        setattr(sys, name, shared)


def keep_whose_failure_it_is(loop: asyncio.AbstractEventLoop) -> None:
    """Asyncio tells of what failed on behalf of whom it failed for, if only it has a handler that is not its own."""
    loop.set_exception_handler(lambda loop, context: loop.default_exception_handler(context))
