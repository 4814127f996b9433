"""What the door itself asks of what runs: a little JSON, in bounded time and length, and none of it believed yet."""

from __future__ import annotations

import http.client
import io
import json
import socket
import struct
import time
from pathlib import Path
from typing import cast

from entrypoint.files.untrusted import shown
from entrypoint.proxy.unix_socket import connect_without_links

CHUNK_BYTES = 64 * 1024


class NoAnswerError(Exception):
    """Why there is no answer, as the end of a sentence in one line."""


class _Said:
    """What has been read, as `http.client` takes a socket."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self.text)


def ask_kernels(socket_path: Path, path: str, seconds: float, bytes_max: int) -> object:
    """What the kernels' server answers to a GET, parsed; of whatever types JSON has, which the caller has to judge.

    Args:
        path: Of the address, such as `/workhorse/report`.
        seconds: For all of it, connection and answer.
        bytes_max: Of all of it, head and body.

    Raises:
        NoAnswerError: Nobody answers, or not so.
    """
    deadline = time.monotonic() + seconds
    try:
        return _parsed(_said(socket_path, path, deadline, bytes_max))
    except (TimeoutError, BlockingIOError):
        raise NoAnswerError(f"it has said nothing whole for {seconds:g} seconds") from None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NoAnswerError(shown(why)) from error


def _said(socket_path: Path, path: str, deadline: float, bytes_max: int) -> bytes:
    """All that is said until the kernels' server hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        # Where its queue is full, a connection with Python's own time-out fails at once (connect(2), EAGAIN).
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(deadline - time.monotonic()))
        connect_without_links(connection, socket_path)
        _wait_until(connection, deadline)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode("ascii"))
        said = b""
        while part := _received(connection, deadline):
            said += part
            if len(said) > bytes_max:
                raise ValueError(f"its answer is longer than {bytes_max} bytes")
        return said


def _received(connection: socket.socket, deadline: float) -> bytes:
    _wait_until(connection, deadline)
    return connection.recv(CHUNK_BYTES)


def _wait_until(connection: socket.socket, deadline: float) -> None:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    connection.settimeout(left)


def _timeval(seconds: float) -> bytes:
    """As setsockopt(2) wants it; zero would be for ever."""
    return struct.pack("ll", int(seconds), max(1, int(seconds % 1 * 1_000_000)))


def _parsed(said: bytes) -> object:
    response = http.client.HTTPResponse(cast(socket.socket, _Said(said)), method="GET")
    response.begin()
    if response.status != http.client.OK:
        raise ValueError(f"it answers with status {response.status}")
    content: object = json.loads(response.read())
    return content
