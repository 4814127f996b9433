"""A lab's half of backup and restore, on a real Unix socket in this process, for the door's half to ask."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.web import Application

from entrypoint.files.places import Places
from entrypoint.kernels.backup import carry_home
from tests.stacks import REPOSITORY

# What the server's children run by, whose own Python doesn't look into this folder.
PYTHON = ("/usr/bin/env", f"PYTHONPATH={REPOSITORY}", sys.executable)
Speak = Callable[[socket.socket], object]


def listen(path: Path) -> socket.socket:
    """A Unix socket that listens, below a path that may be longer than an address."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    listener, folder = socket.socket(socket.AF_UNIX), os.open(path.parent, os.O_RDONLY)
    listener.bind(f"/proc/self/fd/{folder}/{path.name}")
    os.close(folder)
    listener.listen()
    return listener


class Lab:
    """What a test sees of it: how often it has ended itself, and the settings that its handlers look into."""

    def __init__(self, places: Places) -> None:
        self.ends = 0
        self.application = Application([])
        self.settings: dict[str, Any] = self.application.settings
        self.settings["log_function"] = lambda _: None
        carry_home(self.application, places.home, self._end, PYTHON)

    def _end(self) -> None:
        self.ends += 1


@contextmanager
def lab(places: Places) -> Iterator[Lab]:
    """The kernels' server of these places, which serves their home."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(doing: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(doing, loop).result(60)

    async def serve() -> tuple[Lab, HTTPServer]:
        made = Lab(places)
        server = HTTPServer(made.application)
        listener = listen(places.kernels_socket)
        listener.setblocking(False)
        server.add_sockets([listener])
        return made, server

    async def stop(server: HTTPServer) -> None:
        server.stop()
        await server.close_all_connections()
        while rest := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(rest)

    made, server = run(serve())
    try:
        yield made
    finally:
        run(stop(server))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
        places.kernels_socket.unlink()


@contextmanager
def odd_lab(places: Places, speak: Speak) -> Iterator[None]:
    """A lab that does what a test makes of it, once, to whoever connects."""

    def serve() -> None:
        connection, _ = listener.accept()
        # The door may have heard enough.
        with closing(connection), contextlib.suppress(BrokenPipeError, ConnectionResetError):
            speak(connection)

    with closing(listen(places.kernels_socket)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join(30)
