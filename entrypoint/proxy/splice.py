"""A websocket after its handshake: bytes both ways, until one side goes or the door ends it."""

from __future__ import annotations

import asyncio
import contextlib

from tornado.iostream import IOStream, StreamClosedError

from entrypoint.proxy.frames import Frames, close_frame

CHUNK_BYTES = 64 * 1024
# What the lab may take to answer a Close, and with it to end its last messages.
CLOSE_SECONDS = 5.0
# What a browser may take to read the lab's Close; a connection closed with words unread loses what is on its way.
LINGER_SECONDS = 3.0


class Direction:
    """One way of the two; each write is awaited, so that a slow reader slows down the writer."""

    def __init__(self, source: IOStream, sink: IOStream, *, is_masked: bool) -> None:
        self.source, self.sink, self.is_masked = source, sink, is_masked
        self.frames = Frames()
        self._code: int | None = None

    async def run(self) -> None:
        """Pumps until one of the two streams ends."""
        with contextlib.suppress(StreamClosedError):
            while True:
                await self._pass(await self.source.read_bytes(CHUNK_BYTES, partial=True))

    def close(self, code: int) -> None:
        """Puts a Close after the frame that has begun, and nothing after it."""
        self._code = code
        if self.frames.is_between:
            self._put_close(code)

    async def _pass(self, data: bytes) -> None:
        if self._code is None:
            self.frames.pass_over(data)
            await self.sink.write(data)
        elif not self.frames.is_between:
            await self.sink.write(self.frames.rest_of_frame(data))
            if self.frames.is_between:
                self._put_close(self._code)

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
            self.up.close(code)
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
