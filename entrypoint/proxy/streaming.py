"""What the door's commands send to the kernels' server and get from it: streams of any length, in constant memory.

It may answer anything, or nothing: what it says is bounded, and how long it may be silent, and none of it is believed
yet.
"""

from __future__ import annotations

import io
import json
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

from entrypoint.files.untrusted import shown
from entrypoint.proxy.unix_socket import connect_without_links

# A lab that is just being re-created.
WAIT_SECONDS = 30.0
POLL_SECONDS = 0.1
# A large database is copied without a word, and an environment's list made.
SILENCE_SECONDS = 15 * 60.0
HEAD_SECONDS = 60.0
LINE_BYTES_MAX, LINES_MAX = 4096, 64
ANSWER_BYTES_MAX = 64 * 1024
CHUNK_BYTES = 256 * 1024
OK = 200


class NoStreamError(Exception):
    """What is wrong with the kernels' server, as a sentence without its full stop."""


class AbsentKernelsError(NoStreamError):
    """Nobody listens."""


class AnsweredError(Exception):
    """The kernels' server has answered, or hung up, before all was sent."""


class _Heard(io.RawIOBase):
    """What the kernels' server says, with a bound for its silences and, while it is set, for all of it."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.deadline: float | None = None

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        left = SILENCE_SECONDS if self.deadline is None else self.deadline - time.monotonic()
        if left <= 0:
            raise NoStreamError("the kernels' server says nothing whole")
        self.connection.settimeout(left)
        try:
            return self.connection.recv_into(buffer)
        except TimeoutError:
            raise NoStreamError("the kernels' server has been silent for too long") from None
        except ConnectionResetError:
            # So ends a connection whose other end has closed it without having read all; its last word came before.
            return 0
        except OSError as error:
            raise NoStreamError(f"the kernels' server can't be heard ({error.strerror})") from error


class Request:
    """One request to the kernels' server, and its answer."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._heard = _Heard(connection)
        self._reader = io.BufferedReader(self._heard, CHUNK_BYTES)
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        """Sends a part of the body, some of it later.

        Raises:
            AnsweredError: See there.
            NoStreamError: The kernels' server takes nothing.
        """
        self._waiting += data
        if len(self._waiting) >= CHUNK_BYTES:
            self._send_waiting()
        return len(data)

    def end(self) -> None:
        """Sends the rest of the body, and says that it was all; raises what `write` does."""
        self._send_waiting()
        self._send(b"0\r\n\r\n")

    def begin(self, line: str, *headers: str) -> None:
        self._send("\r\n".join([line, "Host: localhost", "Connection: close", *headers, "", ""]).encode("ascii"))

    def status(self, seconds: float) -> int:
        """The answer's status, after its headers.

        Raises:
            NoStreamError: There is none within its bounds.
        """
        self._heard.deadline = time.monotonic() + seconds
        first, *rest = self._head()
        self._heard.deadline = None
        version, _, status = first.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not status[:3].isdigit() or any(b":" not in line for line in rest):
            raise NoStreamError("the kernels' server answers with something else than HTTP")
        return int(status[:3])

    def _head(self) -> Iterator[bytes]:
        for _ in range(LINES_MAX):
            line = self._reader.readline(LINE_BYTES_MAX)
            if not line.endswith(b"\n"):
                raise NoStreamError(
                    "the kernels' server has hung up" if len(line) < LINE_BYTES_MAX else "its answer is odd"
                )
            if not (line := line.strip()):
                return
            yield line
        raise NoStreamError("its answer is odd")

    def body(self) -> BinaryIO:
        """What comes after the answer's head, until the kernels' server hangs up; reading it raises NoStreamError."""
        return cast(BinaryIO, self._reader)

    def answer(self) -> dict[str, Any]:
        """The JSON of an answer; of whatever types JSON has, which the caller has to judge.

        Raises:
            NoStreamError: It is something else.
        """
        status = self.status(SILENCE_SECONDS)
        self._heard.deadline = time.monotonic() + HEAD_SECONDS
        try:
            content = json.loads(self._reader.read(ANSWER_BYTES_MAX))
        except (ValueError, RecursionError) as error:
            raise NoStreamError(f"the server's answer {status} can't be read ({shown(str(error))})") from error
        if not isinstance(content, dict):
            raise NoStreamError(f"the server's answer {status} is not as it should be")
        if status != OK and content.get("reason") is None:
            raise NoStreamError(f"the kernels' server answers with status {status}")
        return content

    def _send_waiting(self) -> None:
        if self._waiting:
            self._send(b"%x\r\n%b\r\n" % (len(self._waiting), bytes(self._waiting)))
            self._waiting.clear()

    def _send(self, data: bytes) -> None:
        try:
            if self._has_answered():
                raise AnsweredError
            self._connection.settimeout(SILENCE_SECONDS)
            self._connection.sendall(data)
        except TimeoutError:
            raise NoStreamError("the kernels' server takes nothing") from None
        except OSError as error:
            raise AnsweredError from error

    def _has_answered(self) -> bool:
        self._connection.setblocking(False)
        try:
            self._connection.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return False
        return True


@contextmanager
def getting(socket_path: Path, address: str, wait_seconds: float) -> Iterator[BinaryIO]:
    """What is at an address, to be read to its end; whether that came too soon, only the content tells.

    Raises:
        NoStreamError: It isn't to be had.
    """
    with _connected(socket_path, wait_seconds) as request:
        # Of HTTP/1.0, so that the answer comes as it is, and not in chunks.
        with _told_at_once():
            request.begin(f"GET {address} HTTP/1.0")
        if (status := request.status(HEAD_SECONDS)) != OK:
            raise NoStreamError(f"the kernels' server answers with status {status}")
        yield request.body()


@contextmanager
def posting(socket_path: Path, address: str, wait_seconds: float) -> Iterator[Request]:
    """A request whose body is written next.

    Raises:
        NoStreamError: The kernels' server can't be asked.
    """
    with _connected(socket_path, wait_seconds) as request:
        with _told_at_once():
            request.begin(f"POST {address} HTTP/1.1", "Transfer-Encoding: chunked")
        yield request


@contextmanager
def _told_at_once() -> Iterator[None]:
    try:
        yield
    except AnsweredError as error:
        raise NoStreamError("the kernels' server has hung up") from error


@contextmanager
def _connected(socket_path: Path, wait_seconds: float) -> Iterator[Request]:
    deadline = time.monotonic() + wait_seconds
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        # With a bound, a connection whose queue is full fails at once instead of waiting (connect(2), EAGAIN).
        connection.settimeout(HEAD_SECONDS)
        while (error := _reason_not_connected(connection, socket_path)) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)
        if error:
            raise AbsentKernelsError(f"the kernels' server can't be reached ({error.strerror})") from error
        yield Request(connection)


def _reason_not_connected(connection: socket.socket, path: Path) -> OSError | None:
    try:
        connect_without_links(connection, path)
    except OSError as error:
        return error
    return None
