"""Websockets that end once what was written before has gone out; tornado drops that as soon as it is asked to close."""

from __future__ import annotations

import asyncio
import contextlib

from tornado import websocket
from tornado.iostream import StreamClosedError
from tornado.websocket import WebSocketProtocol13

CLOSE = 0x8
# As long as tornado itself waits for the other side's Close.
LAST_WORDS_SECONDS = 5.0


class LastWords(WebSocketProtocol13):
    """tornado's own, which Jupyter hands its messages without waiting: it takes them as sent."""

    def _handle_message(self, opcode: int, data: bytes) -> asyncio.Future[None] | None:
        if opcode == CLOSE and self.stream.writing():
            return asyncio.ensure_future(self._close_once_sent(data))
        answered: asyncio.Future[None] | None = super()._handle_message(opcode, data)
        return answered

    async def _close_once_sent(self, data: bytes) -> None:
        # From here on there is nobody to write to: what comes now, Jupyter keeps for who comes next.
        self.handler.ws_connection = None
        self.handler.on_ws_connection_close(int.from_bytes(data[:2], "big") if len(data) >= 2 else None)
        with contextlib.suppress(StreamClosedError, TimeoutError):
            # Nothing more, but its turn comes after all that is waiting.
            await asyncio.wait_for(self.stream.write(b""), LAST_WORDS_SECONDS)
        super()._handle_message(CLOSE, data)


def say_last_words() -> None:
    """For all websockets that are opened from now on."""
    websocket.WebSocketProtocol13 = LastWords
