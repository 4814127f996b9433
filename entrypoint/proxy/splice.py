"""A websocket after its handshake: bytes both ways, until one side goes or the door ends it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable

from tornado.iostream import IOStream, StreamClosedError

from entrypoint.proxy.frames import Frames, close_frame

CHUNK_BYTES = 64 * 1024
# What the lab may take to answer a Close, and with it to end its last messages.
CLOSE_SECONDS = 5.0
# What a browser may take to read the lab's Close; a connection closed with words unread loses what is on its way.
LINGER_SECONDS = 3.0
# Of one websocket: more than a lab holds back at once, and so little that all of them stop within the memory there is.
DRAINED_BYTES_MAX = 16 * 1024 * 1024


class Direction:
    """One way of the two; each write is awaited, so that a slow reader slows down the writer."""

    def __init__(self, source: IOStream, sink: IOStream, *, is_masked: bool) -> None:
        self.source, self.sink, self.is_masked = source, sink, is_masked
        self.frames = Frames()
        self._code: int | None = None
        self._is_waiting = False
        self._drained: Callable[[], None] | None = None
        self._left_to_drain = DRAINED_BYTES_MAX
        self._hurry = asyncio.Event()

    async def run(self) -> None:
        """Pumps until one of the two streams ends."""
        with contextlib.suppress(StreamClosedError):
            while True:
                self._is_waiting = True
                data = await self.source.read_bytes(CHUNK_BYTES, partial=True)
                self._is_waiting = False
                await self._pass(data)
                self._look_whether_drained(len(data))

    def drain(self, then: Callable[[], None]) -> None:
        """From now on reads all that the source holds back, however slow the sink is; calls `then` once that is read.

        tornado hangs up as soon as it has answered a Close, and drops what it couldn't write until then.
        """
        self._drained = then
        self._hurry.set()
        if self._is_waiting and self.frames.is_between:
            self._tell_drained()

    def _look_whether_drained(self, read: int) -> None:
        if not self._hurry.is_set():
            return
        self._left_to_drain -= read
        if self._left_to_drain <= 0:
            self._hurry.clear()
        if (read < CHUNK_BYTES and self.frames.is_between) or self._left_to_drain <= 0:
            self._tell_drained()

    def _tell_drained(self) -> None:
        then, self._drained = self._drained, None
        if then:
            then()

    def close(self, code: int) -> None:
        """Puts a Close after the frame that has begun, and nothing after it."""
        self._code = code
        if self.frames.is_between:
            self._put_close(code)

    async def _pass(self, data: bytes) -> None:
        if self._code is None:
            self.frames.pass_over(data)
            await self._written(self.sink.write(data))
        elif not self.frames.is_between:
            await self.sink.write(self.frames.rest_of_frame(data))
            if self.frames.is_between:
                self._put_close(self._code)

    async def _written(self, written: asyncio.Future[None]) -> None:
        if written.done():
            await written
            return
        hurry = asyncio.ensure_future(self._hurry.wait())
        try:
            await asyncio.wait((written, hurry), return_when=asyncio.FIRST_COMPLETED)
        finally:
            hurry.cancel()
        if written.done():
            await written
        else:
            # Nobody awaits it any more; the next write tells of a closed stream.
            written.add_done_callback(lambda each: each.cancelled() or each.exception())

    def _put_close(self, code: int) -> None:
        if not self.frames.is_closed and not self.sink.closed():
            self.frames.is_closed = True
            self.sink.write(close_frame(code, is_masked=self.is_masked))


class Splice:
    """One browser's websocket and the lab's."""

    def __init__(self, browser: IOStream, lab: IOStream) -> None:
        self.browser, self.lab = browser, lab
        self.up = Direction(browser, lab, is_masked=True)
        self.down = Direction(lab, browser, is_masked=False)
        self._code: int | None = None

    async def run(self) -> None:
        """Returns once both ends are closed."""
        self.browser.set_nodelay(True)
        up, down = (asyncio.ensure_future(way.run()) for way in (self.up, self.down))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
            if down.done():
                await self._end(up)
        finally:
            self.lab.close()
            self.browser.close()
            await asyncio.gather(up, down)

    def close(self, code: int) -> None:
        """Asks the lab to end it, and passes on what the lab still has to say, up to its own Close."""
        if self._code is None:
            self._code = code
            self.down.drain(lambda: self.up.close(code))
            asyncio.get_running_loop().call_later(CLOSE_SECONDS, self._break_off)

    def _break_off(self) -> None:
        """For a lab that doesn't answer, and then a browser that doesn't read."""
        self.lab.close()
        asyncio.get_running_loop().call_later(LINGER_SECONDS, self.browser.close)

    async def _end(self, up: asyncio.Future[None]) -> None:
        """Waits for a browser that still has to read the lab's last word."""
        if self._code is not None and self.down.frames.is_between:
            self.down.close(self._code)
        if self.down.frames.is_closed and not (self.up.frames.is_closed and self._code is None):
            await asyncio.wait((up,), timeout=LINGER_SECONDS)
