"""One request to the lab and the one answer to it, on a connection that ends with them."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable
from typing import Protocol, cast

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError, UnsatisfiableReadError

from entrypoint.proxy.canonical import has_chunks, is_websocket
from entrypoint.proxy.upstreams import UpstreamStream

# An export to PDF, or a folder of a million files, takes Jupyter minutes before it says a word.
ANSWER_SECONDS = 15 * 60.0
HEAD_BYTES_MAX = 64 * 1024
CHUNK_BYTES = 64 * 1024
ANSWER_BYTES_MAX = 10**18
SWITCHING = 101
BODILESS = (204, 304)


class Browser(Protocol):
    """Who gets the answer; each part is awaited, so that a slow browser slows down the lab."""

    async def begin(self, status: int, headers: HTTPHeaders) -> None: ...

    async def pass_down(self, data: bytes) -> None: ...


class Exchange(HTTPMessageDelegate):
    """Sends a request as it comes, while the answer is passed on as it comes: a lab may refuse an upload half-way."""

    def __init__(self, stream: UpstreamStream, browser: Browser, request: HTTPServerRequest) -> None:
        self.stream, self.browser = stream, browser
        self.is_head, self.is_chunked = request.method == "HEAD", has_chunks(request)
        self.may_switch = is_websocket(request)
        self.has_begun = self.is_whole = False
        # The connection, once it speaks another protocol.
        self.switched: IOStream | None = None
        self.switched_headers = HTTPHeaders()
        self._connection = HTTP1Connection(stream, True, limits())
        # Done when the answer is over; `has_begun`, `is_whole` and `switched` tell how far it went.
        self.answer: asyncio.Future[None] = asyncio.ensure_future(self._receive())

    async def send(self, data: bytes) -> None:
        """Sends bytes as they stand; a lab that takes no more may still answer."""
        with contextlib.suppress(StreamClosedError):
            await self.stream.write(data)

    async def send_body(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data) if self.is_chunked else data)

    async def send_end(self) -> None:
        """To be called for a request that has come whole, and for no other."""
        if self.is_chunked:
            await self.send(b"0\r\n\r\n")

    @property
    def is_silent(self) -> bool:
        """Whether it is over without a word of an answer."""
        return self.answer.done() and not self.has_begun and not self.switched

    @property
    def is_unheard(self) -> bool:
        """Whether it is over, and the lab has not heard the request to its end: it can't have done what is asked."""
        return self.is_silent and self.stream.is_unread

    def close(self) -> None:
        self.stream.close()

    async def _receive(self) -> None:
        try:
            await self._connection.read_response(self)
        except (StreamClosedError, UnsatisfiableReadError):
            pass
        finally:
            if not self.switched:
                self.close()

    async def headers_received(self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders) -> None:
        status = cast(ResponseStartLine, start_line).code
        if status == SWITCHING and self.may_switch:
            self.switched, self.switched_headers = self._connection.detach(), headers
        elif status == SWITCHING or not 100 <= status < 600 or not self._has_end(status, headers):
            raise HTTPInputError(f"{status}, not asked for or without an end that can be told from a broken connection")
        elif status >= 200:
            self.has_begun = True
            await self._or_close(self.browser.begin(status, headers))
            if self.is_head:
                self.finish()

    def _has_end(self, status: int, headers: HTTPHeaders) -> bool:
        is_bodiless = status < 200 or status in BODILESS or self.is_head
        return is_bodiless or "Content-Length" in headers or "Transfer-Encoding" in headers

    async def data_received(self, data: bytes) -> None:
        await self._or_close(self.browser.pass_down(data))

    def finish(self) -> None:
        self.is_whole = True
        # Whatever else the lab says on this connection answers no question.
        self.close()

    def on_connection_close(self) -> None:
        self.close()

    async def _or_close(self, passing: Awaitable[None]) -> None:
        try:
            await passing
        except StreamClosedError:
            # The browser has gone.
            self.close()


def limits() -> HTTP1ConnectionParameters:
    return HTTP1ConnectionParameters(
        chunk_size=CHUNK_BYTES,
        max_header_size=HEAD_BYTES_MAX,
        header_timeout=ANSWER_SECONDS,
        max_body_size=ANSWER_BYTES_MAX,
    )
