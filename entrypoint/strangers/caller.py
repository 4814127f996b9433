"""A connection on its way to a login: TLS knows nothing of it until there is a whole greeting to read."""

from __future__ import annotations

import asyncio
import socket
import time
from contextvars import ContextVar
from typing import Any, Protocol

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream

from entrypoint.settings.clients import client_group
from entrypoint.strangers.behalf import now_for_a_stranger
from entrypoint.strangers.rooms import Rooms, Visitor

# RFC 8446, section 5.1: a record's header holds its type and length; a handshake's type is 22.
HEADER_BYTES = 5
HANDSHAKE = 22
RECORD_BYTES_MAX = HEADER_BYTES + 2**14


class Host(Protocol):
    """What a caller needs of the server."""

    rooms: Rooms

    def serve_soon(self) -> None:
        """Somebody is ready."""


class Caller(Visitor):
    """A connection, of which TLS knows nothing until its greeting is whole."""

    __slots__ = ("address", "awaited", "connection", "host", "stream")

    def __init__(self, connection: socket.socket, address: Any, host: Host) -> None:
        super().__init__(client_group(address[0], None, ()))
        self.connection, self.address, self.host = connection, address, host
        self.stream: IOStream | None = None
        connection.setblocking(False)
        self._await(HEADER_BYTES)
        event_loop().add_reader(connection, self._read)

    def _await(self, count: int) -> None:
        """Wakes up once so many bytes have come, so that who sends one a second costs no more than who is silent."""
        self.awaited = count
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, count)

    def _read(self) -> None:
        whole, count = self._look()
        if count >= whole:
            self._go_on()
        elif count >= self.awaited:
            self._await(whole)
        else:
            # Woken without what it waits for: the other side has hung up.
            self._hang_up()

    def _look(self) -> tuple[int, int]:
        """How many bytes the greeting has, and how many of them are there."""
        try:
            start = self.connection.recv(RECORD_BYTES_MAX, socket.MSG_PEEK)
        except OSError:
            start = b""
        return greeting_bytes(start), len(start)

    def asked(self, is_logged_in: bool) -> None:
        """To be told of each request once its header is whole."""
        now_for_a_stranger(not is_logged_in)
        if is_logged_in:
            self.is_member = True
            self.leave()
        else:
            self.enter(self.host.rooms.answered, time.monotonic())

    def give_way(self) -> None:
        # Its bytes may have come a moment ago, while others were looked after.
        if self.room is self.host.rooms.silent and self._is_whole():
            self._go_on()
        else:
            self._hang_up()

    def _is_whole(self) -> bool:
        whole, count = self._look()
        return count >= whole

    def _go_on(self) -> None:
        event_loop().remove_reader(self.connection)
        self._await(1)
        self.enter(self.host.rooms.ready, time.monotonic())
        self.host.serve_soon()

    def _hang_up(self) -> None:
        self.leave()
        if self.stream:
            self.stream.close()
        else:
            event_loop().remove_reader(self.connection)
            self.connection.close()


def greeting_bytes(start: bytes) -> int:
    """How many bytes OpenSSL needs to make something of a connection that starts so: the first record's."""
    if len(start) < HEADER_BYTES:
        return HEADER_BYTES
    record = HEADER_BYTES + int.from_bytes(start[3:HEADER_BYTES])
    # Of what is no handshake, the header says as much: plain HTTP among it.
    return record if start[0] == HANDSHAKE and record <= RECORD_BYTES_MAX else HEADER_BYTES


# asyncio hands it on to whatever a connection sets going.
current_caller: ContextVar[Caller | None] = ContextVar("current_caller", default=None)


def event_loop() -> asyncio.AbstractEventLoop:
    """The one that tornado runs on, before it runs too."""
    loop: asyncio.AbstractEventLoop = IOLoop.current().asyncio_loop
    return loop
