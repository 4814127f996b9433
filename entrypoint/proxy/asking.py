"""What the door itself asks of what runs, or syncs: a little JSON, in bounded time and length, not believed yet."""

from __future__ import annotations

import http.client
import io
import json
import socket
import struct
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import cast

from entrypoint.files.untrusted import shown
from entrypoint.proxy.unix_socket import connect_without_links

CHUNK_BYTES = 64 * 1024
FAILURES: tuple[type[Exception], ...] = (OSError, http.client.HTTPException, ValueError, RecursionError)


class NoAnswerError(Exception):
    """Why there is no answer, as the end of a sentence in one line."""


class _Said:
    """What has been read, as `http.client` takes a socket."""

    def __init__(self, text: bytes) -> None:
        self.text = text

    def makefile(self, _: str) -> io.BytesIO:
        return io.BytesIO(self.text)


def ask_kernels(socket_path: Path, path: str, seconds: float, bytes_max: int) -> object:
    """What the kernels' server, or a cluster's scheduler, answers to a GET; the caller has to judge its types.

    Args:
        path: Of the address, such as `/workhorse/report`.
        seconds: For all of it, connection and answer.
        bytes_max: Of all of it, head and body.

    Raises:
        NoAnswerError: Nobody answers, or not so.
    """
    return ask(socket_path, Question("GET", path), seconds, bytes_max)


@dataclass(frozen=True)
class Question:
    """A request of one who listens on a Unix socket.

    Args:
        headers: Besides those that each has.
    """

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> bytes:
        headers = {"Host": "localhost", "Connection": "close", **self.headers}
        if self.body:
            headers["Content-Length"] = str(len(self.body))
        lines = [f"{self.method} {self.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
        return "\r\n".join([*lines, "", ""]).encode("ascii") + self.body


def ask(socket_path: Path, question: Question, seconds: float, bytes_max: int) -> object:
    """The same for any question; an answer without a text is None.

    Raises:
        NoAnswerError: Nobody answers, or not so.
    """
    deadline = time.monotonic() + seconds
    with telling(seconds):
        return parsed(_said(socket_path, question.text, deadline, bytes_max))


@contextmanager
def telling(seconds: float, *others: type[Exception]) -> Iterator[None]:
    """Makes a NoAnswerError of whatever stands for no answer, or a bad one; `others` do, too."""
    try:
        yield
    except (TimeoutError, BlockingIOError):
        raise NoAnswerError(f"it has said nothing whole for {seconds:g} seconds") from None
    except (*FAILURES, *others) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise NoAnswerError(shown(why)) from error


def _said(socket_path: Path, question: bytes, deadline: float, bytes_max: int) -> bytes:
    """All that is said until the kernels' server hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        # Where its queue is full, a connection with Python's own time-out fails at once (connect(2), EAGAIN).
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(deadline - time.monotonic()))
        connect_without_links(connection, socket_path)
        _wait_until(connection, deadline)
        connection.sendall(question)
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


def parsed(said: bytes) -> object:
    """The JSON in an answer, whole with its head; None where it holds nothing."""
    response = http.client.HTTPResponse(cast(socket.socket, _Said(said)), method="GET")
    response.begin()
    if response.status != http.client.OK:
        raise ValueError(f"it answers with status {response.status}")
    said_in_it = response.read()
    content: object = json.loads(said_in_it) if said_in_it.strip() else None
    return content
