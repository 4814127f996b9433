"""The ways to the servers behind the door: a connection of its own for each request, so that no answer can be taken for
another's."""

from __future__ import annotations

import asyncio
import contextlib
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tornado.iostream import IOStream

from entrypoint.proxy.unix_socket import connect_without_links

# JupyterLab starts within a few seconds, and within this on a machine that does much else.
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1
BUFFER_BYTES_MAX = 1024 * 1024


class AbsentError(Exception):
    """Nobody listens on the socket."""


class UpstreamStream(IOStream):
    """A connection whose other end may have said its last word before it has heard ours: that word still counts.

    Jupyter refuses a long upload at its head, answers, and hangs up. tornado would take the failed write for the end
    of the connection, and drop the answer unread.

    And where a Unix socket is closed with something unread in it, or before anybody has accepted the connection, Linux
    says so to its other end (unix_release_sock in net/unix/af_unix.c).
    """

    # Whether the other end has hung up on something that it will never read.
    is_unread = False

    def write_to_fd(self, data: memoryview) -> int:
        try:
            written: int = super().write_to_fd(data)
            return written
        except (BrokenPipeError, ConnectionResetError):
            self.is_unread = True
            return len(data)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        try:
            read: int | None = super().read_from_fd(buf)
            return read
        except ConnectionResetError:
            self.is_unread = True
            raise


class Upstream:
    """Where one of them listens.

    Args:
        service: Compose's name of it.
        path: Its Unix socket.
        wait_seconds: How long who asks waits for one that is being re-created.
    """

    def __init__(self, service: str, path: Path, wait_seconds: float = WAIT_SECONDS) -> None:
        self.service = service
        self.path = path
        self.wait_seconds = wait_seconds

    async def connect(self, is_wanted: Callable[[], bool] = lambda: True) -> UpstreamStream:
        """A new connection, as soon as somebody listens.

        Raises:
            AbsentError: Nobody does for `wait_seconds`, or the connection is wanted no more.
        """
        deadline = time.monotonic() + self.wait_seconds
        while True:
            try:
                return UpstreamStream(self._connected(), max_buffer_size=BUFFER_BYTES_MAX)
            except OSError as error:
                if time.monotonic() >= deadline or not is_wanted():
                    raise AbsentError from error
            await asyncio.sleep(POLL_SECONDS)

    def wake(self) -> None:
        """Lets one start that waits for somebody to ask for something."""
        with contextlib.suppress(OSError):
            self._connected().close()

    def _connected(self) -> socket.socket:
        """Connects at once or fails; asyncio and tornado take EAGAIN, a Unix socket's full queue, for success."""
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.setblocking(False)
            connect_without_links(connection, self.path)
        except OSError:
            connection.close()
            raise
        return connection


# What is asked of what runs; all else is pages and files. Letter by letter, as Jupyter itself goes by addresses: what
# is spelt otherwise is nowhere. Jupyter Notebook's page of a terminal is a page.
OF_WHAT_RUNS = re.compile(
    r"/(?:api/(?:kernels|kernelspecs|sessions|terminals|usage)|kernelspecs|terminals/websocket|lsp)(?:/.*)?", re.S
)


# The pages of a cluster's scheduler, as compose/cluster.yml has it serve them.
OF_THE_CLUSTER = re.compile(r"/dask(?:/.*)?", re.S)


@dataclass(frozen=True)
class Upstreams:
    """The servers behind the door."""

    lab: Upstream
    kernels: Upstream
    scheduler: Upstream | None = None

    def of(self, path: str) -> Upstream:
        """Whose an address is."""
        if self.scheduler and OF_THE_CLUSTER.fullmatch(path):
            return self.scheduler
        return self.kernels if OF_WHAT_RUNS.fullmatch(path) else self.lab
