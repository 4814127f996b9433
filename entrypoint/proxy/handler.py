"""Passes on everything that is Jupyter's, for whoever is logged in: to the lab, or to the server of what runs."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.iostream import IOStream, StreamClosedError
from tornado.web import stream_request_body

from entrypoint.proxy.absent import BUSY, absent, broken, is_page
from entrypoint.proxy.canonical import (
    BODY_BYTES_MAX,
    answer_headers,
    is_between_door_and_lab,
    is_websocket,
    reason_to_refuse,
    reason_to_show_nothing,
    request_head,
)
from entrypoint.proxy.compression import Compressor, compressed, may_compress
from entrypoint.proxy.exchange import Exchange
from entrypoint.proxy.held import HeldBody, Room
from entrypoint.proxy.open_connections import OpenConnections
from entrypoint.proxy.refusals import RefusingHandler
from entrypoint.proxy.splice import Splice
from entrypoint.proxy.upstreams import AbsentError, Upstream, Upstreams

# How long an upload is read on after an early answer: one that is hung up on at once may never see the answer.
LINGER_SECONDS = 3.0
SWITCHING = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
# A reset is a broken answer to everybody, also where only a connection's end tells how long a body is.
RESET = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class Passage:
    """What the door knows that each request asks.

    Args:
        logged_in: The login that a request carries, if any; `connections.close_login` takes the same name.
        address: Where a request comes from: the peer's address, or what a trusted proxy vouches for.
    """

    upstreams: Upstreams
    logged_in: Callable[[HTTPServerRequest], str | None]
    address: Callable[[HTTPServerRequest], str]
    connections: OpenConnections = field(default_factory=OpenConnections)
    room: Room = field(default_factory=Room)
    login_path: str = "/login"


@stream_request_body
class ProxyHandler(RefusingHandler):
    """One request; for a websocket, all of its life."""

    def initialize(self, passage: Passage) -> None:
        self.passage = passage
        self.stream: IOStream = self.request.connection.stream
        self.exchange: Exchange | None = None
        self.splice: Splice | None = None
        self.compressor: Compressor | None = None
        self.held = HeldBody(self.passage.room)
        self.has_gone = self.is_lingering = False

    @property
    def upstream(self) -> Upstream:
        return self.passage.upstreams.of(self.request.path)

    def check_xsrf_cookie(self) -> None:
        """Left to Jupyter, which has handlers that need none."""

    async def prepare(self) -> None:
        user = self.passage.logged_in(self.request)
        if self.stream.closed():
            # tornado goes on with what it has read already behind a request that was refused, or had the last word.
            self._go()
        elif reason := reason_to_refuse(self.request):
            self.refuse(400, reason)
        elif is_between_door_and_lab(self.request.path):
            self.refuse(404, "There is nothing at this address.")
        elif user is None:
            self.turn_away(self.passage.login_path)
        elif self.upstream is self.passage.upstreams.scheduler and (reason := reason_to_show_nothing(self.request)):
            self.refuse(403, reason)
        elif self.passage.connections.is_stopping:
            # Browsers ask again by themselves, on a new connection, which the next door takes.
            self._break_off()
        elif not self.passage.connections.admit(self, user):
            self.tell(BUSY)
        else:
            await self._or_say_absent(self._open())

    async def _open(self) -> None:
        # Their default is Jupyter's own limit for what it holds in memory; here nothing is held.
        self.request.connection.set_max_body_size(BODY_BYTES_MAX)
        self.stream.set_nodelay(True)
        if is_page(self.request):
            # What the page asks for next.
            self.passage.upstreams.kernels.wake()
        exchange = await self._ask()
        if is_websocket(self.request):
            exchange = await self._answered(exchange)
            if exchange.switched:
                await self._splice(exchange.switched, exchange.switched_headers)
            else:
                self._conclude(exchange)

    async def _ask(self) -> Exchange:
        """Sends the head; from here on the answer is passed on as it comes."""
        request = self.request
        upstream = await self.upstream.connect(lambda: not self.has_gone)
        self.exchange = Exchange(upstream, self, request)
        await self.exchange.send(request_head(request, self.passage.address(request)))
        return self.exchange

    async def data_received(self, chunk: bytes) -> None:
        if self.exchange:
            self.held.add(chunk)
        if self.exchange and not self.exchange.answer.done():
            await self.exchange.send_body(chunk)
        elif not self.is_lingering:
            self.is_lingering = True
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._linger_no_more)

    async def _pass_on(self) -> None:
        """The request has come whole."""
        if self.exchange and not self.has_gone:
            await self.exchange.send_end()
            await self._or_say_absent(self._end(self.exchange))

    get = head = post = put = patch = delete = options = _pass_on

    async def _end(self, exchange: Exchange) -> None:
        exchange = await self._answered(exchange)
        rest = await self.compressor.end() if self.compressor and exchange.is_whole else b""
        self._conclude(exchange, rest)

    async def _answered(self, exchange: Exchange) -> Exchange:
        """The exchange when it is over; asks again, once, where a lab that was just going hung up without a word."""
        await exchange.answer
        if self._may_ask_again(exchange):
            exchange = await self._ask()
            for part in self.held.parts:
                await exchange.send_body(part)
            await exchange.send_end()
            await exchange.answer
        return exchange

    def _may_ask_again(self, exchange: Exchange) -> bool:
        """Whether nothing can come of it twice (RFC 9110, 9.2.2), and all that was asked is still there."""
        is_harmless = exchange.is_unheard or (exchange.is_silent and self.request.method in ("GET", "HEAD"))
        return is_harmless and self.held.is_whole and not self.has_gone

    def _conclude(self, exchange: Exchange, rest: bytes = b"") -> None:
        """Ends the answer as the lab has ended it."""
        if self._finished:
            return
        if exchange.is_whole:
            self.finish(rest or None).add_done_callback(self._end_of_old_http)
        elif exchange.has_begun:
            self._break_off()
        else:
            self.tell(broken(self.upstream.service))

    def _end_of_old_http(self, written: asyncio.Future[None]) -> None:
        if not written.exception() and self.request.version == "HTTP/1.0":
            # Only the end of the connection tells where a body without a length ends.
            self.stream.close()

    def _linger_no_more(self) -> None:
        exchange = self.exchange
        if exchange and exchange.answer.done() and not self._may_ask_again(exchange) and not self.has_gone:
            self._conclude(exchange)

    async def _splice(self, lab: IOStream, headers: HTTPHeaders) -> None:
        self.splice = Splice(self.detach(), lab)
        lines = "".join(f"{name}: {value}\r\n" for name, value in answer_headers(headers).get_all())
        try:
            with contextlib.suppress(StreamClosedError):
                await self.stream.write(f"{SWITCHING}{lines}\r\n".encode("latin-1"))
            await self.splice.run()
        finally:
            self.passage.connections.leave(self)

    async def begin(self, status: int, headers: HTTPHeaders) -> None:
        """Passes on the head of the lab's answer."""
        self.set_status(status)
        self.clear_header("Content-Type")
        kept = answer_headers(headers)
        if may_compress(self.request, status, kept):
            self.compressor, kept = Compressor(int(kept["Content-Length"])), compressed(kept)
        for name in kept:
            self.clear_header(name)
        for name, value in kept.get_all():
            self.add_header(name, value)
        await self.flush()

    async def pass_down(self, data: bytes) -> None:
        if self.compressor:
            data = await self.compressor.compress(data)
        if self._finished:
            raise StreamClosedError
        if data:
            self.write(data)
            await self.flush()

    async def _or_say_absent(self, passing: Awaitable[None]) -> None:
        try:
            await passing
        except AbsentError:
            self.tell(absent(self.upstream.service))

    def end(self, code: int) -> None:
        """Whose login has ended gets no more."""
        if self.splice:
            self.splice.close(code)
        else:
            self._break_off()

    def wind_up(self, code: int) -> None:
        """Only what has no end of its own, or hasn't been asked yet, is ended."""
        if self.splice or not self.exchange:
            self.end(code)

    def _break_off(self) -> None:
        self._go()
        with contextlib.suppress(OSError, AttributeError):
            self.stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.stream.close()

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self._go()

    def on_finish(self) -> None:
        self.held.let_go()
        self.passage.connections.leave(self)

    def _go(self) -> None:
        self.has_gone = True
        self.held.let_go()
        self.passage.connections.leave(self)
        if self.exchange:
            self.exchange.close()
