"""A door with a lab behind it, both in this process: the lab's side is whatever a test makes of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from entrypoint.proxy.handler import Passage, ProxyHandler
from entrypoint.proxy.headers import protect
from entrypoint.proxy.upstreams import Upstream, Upstreams

T = TypeVar("T")
Speaks = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
STRANGER = "X-Stranger"
LOGIN = b"username-localhost=secret"


class Health(RequestHandler):
    """Stands for what the door answers by itself."""

    def get(self) -> None:
        self.finish("ok\n")


def login_of(request: HTTPServerRequest) -> str | None:
    """Everybody is logged in under the name they say, but for who says that they are a stranger."""
    return None if STRANGER in request.headers else request.headers.get("X-Login", "ada")


def make_passage(path: Path, wait_seconds: float) -> Passage:
    # Whatever is asked, the same answers.
    all_alike = Upstreams(*(Upstream(service, path, wait_seconds) for service in ("lab", "kernels", "scheduler")))
    return Passage(all_alike, login_of, lambda request: str(request.remote_ip))


def make_door(passage: Passage) -> tuple[HTTPServer, int]:
    application = Application([("/health", Health), (".*", ProxyHandler, {"passage": passage})])
    application.settings["log_function"] = lambda _: None
    protect(application, lambda _: False)
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    listener.setblocking(False)
    server = HTTPServer(application)
    server.add_sockets([listener])
    return server, listener.getsockname()[1]


@dataclass
class Wall:
    """What a test has of it."""

    socket_path: Path
    loop: asyncio.AbstractEventLoop
    passage: Passage
    port: int
    servers: list[asyncio.Server] = field(default_factory=list)
    # Where the door has two ways.
    other_socket_path: Path | None = None

    def run(self, doing: Coroutine[Any, Any, T], seconds: float = 60) -> T:
        """Runs something in the thread of door and lab."""
        return asyncio.run_coroutine_threadsafe(doing, self.loop).result(seconds)

    def open_lab(self, speaks: Speaks) -> None:
        async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                    await speaks(reader, writer)
            finally:
                writer.close()

        async def serve() -> None:
            for path in filter(None, (self.socket_path, self.other_socket_path)):
                self.servers.append(await asyncio.start_unix_server(speak, str(path), backlog=256))

        self.run(serve())

    def close_lab(self) -> None:
        async def close() -> None:
            while self.servers:
                self.servers.pop().close()

        self.run(close())
        for path in filter(None, (self.socket_path, self.other_socket_path)):
            path.unlink(missing_ok=True)

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20, source_address=(source, 0))

    def ask(self, request: bytes) -> bytes:
        """All that comes back until the door hangs up."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)


def get(path: str, *headers: str) -> bytes:
    return "\r\n".join([f"GET {path} HTTP/1.1", "Host: localhost", *headers, "Connection: close", "", ""]).encode()


HANDSHAKE = ("Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")


def read_all(connection: socket.socket) -> bytes:
    """Until the other side hangs up.

    Raises:
        ConnectionResetError: It broke the connection off.
    """
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@contextmanager
def wall(socket_path: Path, speaks: Speaks | None, wait_seconds: float = 30.0) -> Iterator[Wall]:
    """A door and, unless it is absent, a lab that speaks as it is told to."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def make() -> tuple[Passage, HTTPServer, int]:
        passage = make_passage(socket_path, wait_seconds)
        return passage, *make_door(passage)

    passage, server, port = asyncio.run_coroutine_threadsafe(make(), loop).result(10)
    made = Wall(socket_path, loop, passage, port)
    try:
        if speaks:
            made.open_lab(speaks)
        yield made
    finally:
        made.run(_end(made, server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(made: Wall, server: HTTPServer) -> None:
    server.stop()
    for each in made.servers:
        each.close()
    await server.close_all_connections()
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    # One round more for what these have closed.
    await asyncio.sleep(0.01)


async def serve_alone(socket_path: Path) -> None:
    """A door in a process of its own, so that its memory can be measured; says its port."""
    _, port = make_door(make_passage(socket_path, 30.0))
    print(port, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve_alone(Path(sys.argv[1])))
