"""The ends of long cells, kept for the door, which asks for them where somebody wants to be told."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

from entrypoint.system.notices import LINE_MAX, NAME_MAX, NOTICES_MAX, PATH, Notice, Outcome, as_json, plain

# Whoever runs a shorter cell waits for it.
LONG_SECONDS = 60.0
# What nobody has asked for by then is no news any more; an update of the door takes less.
KEPT_SECONDS = 600.0
# The door waits a little longer for an answer.
PATIENCE_SECONDS = 30.0
WITHOUT_A_NOTEBOOK = "A console"


@dataclass(frozen=True)
class Ended:
    """An execution of a cell that has ended.

    Args:
        path: The notebook's, as Jupyter's API gives it; None where there is none.
    """

    path: str | None
    kernel_id: str
    seconds: float
    outcome: Outcome
    last_line: str


class Notices:
    """What is to be told, until it is taken; bounded, since it may be that nobody ever asks."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self._kept: deque[tuple[float, Notice]] = deque(maxlen=NOTICES_MAX)
        self._new = asyncio.Event()
        # How many questions wait for something to take.
        self.waiting = 0

    def ended(self, ended: Ended) -> None:
        """To be called in the event loop, at the end of every execution."""
        if ended.seconds > LONG_SECONDS:
            self.tell(ended.path, ended.outcome, ended.last_line)

    def tell(self, path: str | None, outcome: Outcome, last_line: str) -> None:
        name = PurePosixPath(path).name if path else WITHOUT_A_NOTEBOOK
        notice = Notice(plain(name, NAME_MAX), outcome, plain(last_line, LINE_MAX))
        self._kept.append((self.clock(), notice))
        self._new.set()

    async def wait(self, seconds: float) -> None:
        """Until there is something to take, for so long at most."""
        self.waiting += 1
        try:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._new.wait(), seconds)
        finally:
            self.waiting -= 1

    def take(self) -> list[Notice]:
        since = self.clock() - KEPT_SECONDS
        taken = [notice for time, notice in self._kept if time >= since]
        self._kept.clear()
        self._new.clear()
        return taken


def offer_notices(web_app: Any, notices: Notices, seconds: float = PATIENCE_SECONDS) -> None:
    """Serves them to the door, as the others that it asks for something."""
    web_app.add_handlers(".*$", [(PATH, NoticesHandler, {"notices": notices, "seconds": seconds})])


class NoticesHandler(JupyterHandler):
    """Answers when there is something to tell, or after a while with nothing."""

    def initialize(self, notices: Notices, seconds: float) -> None:
        self.notices, self.seconds, self.has_gone = notices, seconds, False

    @authenticated
    async def get(self) -> None:
        await self.notices.wait(self.seconds)
        # Kept for the next who asks, where the door was re-created meanwhile.
        if not self.has_gone:
            self.set_header("Content-Type", "application/json")
            self.finish(json.dumps(as_json(self.notices.take())))

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.has_gone = True
