"""Asks what runs for the ends of long cells, and has a messenger tell a phone; only where NOTIFY_URL is set."""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from asyncio.subprocess import DEVNULL, PIPE
from collections import deque
from collections.abc import Callable

from entrypoint.files.places import Places
from entrypoint.files.private import read_private
from entrypoint.files.untrusted import shown
from entrypoint.proxy.asking import NoAnswerError
from entrypoint.proxy.awaiting import await_kernels
from entrypoint.proxy.upstreams import Upstream
from entrypoint.system.notices import BYTES_MAX, PATH, Notice, judged

MESSENGER = (sys.executable, "-I", "-m", "entrypoint.door.messenger")
# The kernels' server answers sooner, if with nothing; and between two questions, whatever it answers.
ANSWER_SECONDS, PAUSE_SECONDS = 40.0, 2.0
SENDING_SECONDS = 60.0
# A notebook can make up as many as it likes.
NOTICES_MAX, PERIOD_SECONDS = 20, 3600.0
TRY = "To try it: docker compose exec workhorse workhorse notify"
NOTHING_PRINTED = "Nothing was printed."


class Notifier:
    """Follows what is to be told, for as long as the door runs."""

    def __init__(
        self, places: Places, kernels: Upstream, log: logging.Logger, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.places, self.kernels, self.log, self.clock = places, kernels, log, clock
        self._sent: deque[float] = deque(maxlen=NOTICES_MAX)
        # So that each is said once: that the service fails, and that more is to be told than is.
        self._is_failing = self._is_full = False

    async def run(self) -> None:
        """Never returns. A server that nobody has asked for anything yet isn't started for this."""
        while True:
            if os.path.lexists(self.places.kernels_awake):
                for notice in await self._asked():
                    await self._tell(notice)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _asked(self) -> list[Notice]:
        try:
            return judged(await await_kernels(self.kernels, PATH, ANSWER_SECONDS, BYTES_MAX))
        # It is being re-created, or of a version that tells nothing.
        except NoAnswerError:
            return []

    async def _tell(self, notice: Notice) -> None:
        if not self._is_allowed():
            return
        reason = await self._send(f"{notice.notebook}: {notice.outcome}", notice.last_line or NOTHING_PRINTED)
        if reason and not self._is_failing:
            self.log.warning("A notice could not be sent by NOTIFY_URL: %s. %s", reason, TRY)
        self._is_failing = bool(reason)

    def _is_allowed(self) -> bool:
        now = self.clock()
        is_full = len(self._sent) == NOTICES_MAX and now - self._sent[0] < PERIOD_SECONDS
        if is_full and not self._is_full:
            self.log.warning("More than %d notices within an hour: the rest is not sent by NOTIFY_URL.", NOTICES_MAX)
        self._is_full = is_full
        if not is_full:
            self._sent.append(now)
        return not is_full

    async def _send(self, title: str, body: str) -> str | None:
        """Why it could not be sent, as the end of a sentence."""
        url = read_private(self.places.notify_url) or b""
        told = json.dumps({"url": url.decode(), "title": title, "body": body}).encode()
        # What goes wrong unforeseen would hold the address.
        try:
            child = await asyncio.create_subprocess_exec(*MESSENGER, stdin=PIPE, stdout=PIPE, stderr=DEVNULL)
        except OSError as error:
            return f"no process can be started ({error.strerror})"
        try:
            said, _ = await asyncio.wait_for(child.communicate(told), SENDING_SECONDS)
        except TimeoutError:
            return f"the service has not answered for {SENDING_SECONDS:g} seconds"
        finally:
            if child.returncode is None:
                child.kill()
                await child.wait()
        return shown(said.decode(errors="replace").strip()) or "it failed" if child.returncode else None
