"""Accepts connections, and bounds what they cost before a login: memory, open files, and the time they take."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
import time
from collections.abc import Iterable
from functools import partial
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.ioloop import PeriodicCallback
from tornado.iostream import IOStream

from entrypoint.strangers.behalf import for_a_stranger, now_for_a_stranger
from entrypoint.strangers.caller import Caller, current_caller, event_loop
from entrypoint.strangers.rooms import Rooms
from entrypoint.system.allocator import trim

BACKLOG = 1024
# Not all that there may be, since others wait to be served: a handshake takes 1 to 2 ms.
ACCEPTED_AT_ONCE = 64
GREETED_AT_ONCE = 8
LOOK_SECONDS = 1.0
CROWD = 50
# What accept(2) can't do for want of something, which ends when somebody leaves.
WANTS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
WANT_SECONDS = 0.5
# Of the process's files, so many stay free for what is no connection.
RESERVED_FILES, RESERVED_SHARE = 64, 16


class Reception(HTTPServer):
    """Tornado's server, which gives TLS its memory only once there is a whole greeting to read.

    To be named by `HTTPServer.configure` before the server is made.
    """

    def initialize(self, *arguments: Any, **options: Any) -> None:
        super().initialize(*arguments, **options)
        self.files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
        self.rooms = Rooms(self.files)
        self._is_serving = self._was_crowded = False

    def add_sockets(self, sockets: Iterable[socket.socket]) -> None:
        for listener in sockets:
            # Tornado's 128 are soon used up, and who comes then has to wait for the second attempt of its system.
            listener.listen(BACKLOG)
            self._sockets[listener.fileno()] = listener
            self._handlers[listener.fileno()] = partial(event_loop().remove_reader, listener)
            event_loop().add_reader(listener, self._accept, listener)
        PeriodicCallback(self._look, LOOK_SECONDS * 1000).start()

    def _look(self) -> None:
        self.rooms.end_waiting(time.monotonic())
        there = sum(map(len, self.rooms.all))
        if self._was_crowded and not there:
            # What its TLS took.
            trim()
        self._was_crowded = there >= CROWD or (self._was_crowded and bool(there))

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(ACCEPTED_AT_ONCE):
            if len(self.rooms.ready) >= self.rooms.ready.places_of_one_group // 2:
                # Who is let wait here, the system lets try again; who is let in would have to be turned away.
                return
            try:
                connection, address = listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in WANTS and not self.rooms.make_room():
                    self._pause(listener)
                    return
                # Else it is that connection's own failure (accept(2)).
                continue
            is_last_but_few = connection.fileno() >= self.files - min(RESERVED_FILES, self.files // RESERVED_SHARE)
            self._receive(connection, address)
            if is_last_but_few:
                self.rooms.make_room()

    def _pause(self, listener: socket.socket) -> None:
        """Lets those wait whom accept can't take: asked again at once, it would fail again at once."""
        event_loop().remove_reader(listener)
        event_loop().call_later(WANT_SECONDS, self._resume, listener)

    def _resume(self, listener: socket.socket) -> None:
        if not self._stopped:
            event_loop().add_reader(listener, self._accept, listener)

    def _receive(self, connection: socket.socket, address: Any) -> None:
        caller = Caller(connection, address, self)
        caller.enter(self.rooms.silent, time.monotonic())

    def serve_soon(self) -> None:
        if not self._is_serving:
            self._is_serving = True
            event_loop().call_soon(self._serve_some)

    def _serve_some(self) -> None:
        for _ in range(GREETED_AT_ONCE):
            if isinstance(caller := self.rooms.ready.first(), Caller):
                caller.leave()
                self._serve(caller)
        self._is_serving = False
        if self.rooms.ready:
            self.serve_soon()

    def _serve(self, caller: Caller) -> None:
        """Goes on with TLS."""
        with for_a_stranger():
            own = current_caller.set(caller)
            self._handle_connection(caller.connection, caller.address)
            current_caller.reset(own)

    def handle_stream(self, stream: IOStream, address: Any) -> None:
        if caller := current_caller.get():
            caller.stream = stream
            caller.enter(self.rooms.greeted, time.monotonic())
            stream.wait_for_handshake().add_done_callback(partial(self._greeted, caller))
        super().handle_stream(stream, address)

    def _greeted(self, caller: Caller, handshake: asyncio.Future[Any]) -> None:
        if not handshake.cancelled() and not handshake.exception():
            caller.enter(self.rooms.asking, time.monotonic())

    def start_request(self, server_conn: Any, request_conn: Any) -> Any:
        now_for_a_stranger(True)
        caller = current_caller.get()
        # The first request is awaited from the start, before the handshake.
        if caller and caller.room is self.rooms.answered:
            caller.enter(self.rooms.asking, time.monotonic())
        return super().start_request(server_conn, request_conn)

    def on_close(self, server_conn: Any) -> None:
        if caller := current_caller.get():
            caller.leave()
        super().on_close(server_conn)
