"""A server's TLS connection: apart from its neighbours' errors, and civil to a browser that speaks plain HTTP."""

from __future__ import annotations

import contextlib
import ctypes
import re
import socket
import ssl
import weakref
from collections.abc import Iterator
from typing import Any, ClassVar

# The same library that Python's ssl is linked to, which is loaded already.
_clear_errors = ctypes.PyDLL("libcrypto.so.3").ERR_clear_error
_clear_errors.argtypes, _clear_errors.restype = (), None

REQUEST_BYTES_MAX = 8192
HOST = re.compile(rb"\r\nhost:[ \t]*([a-z0-9.-]{1,253}(?::\d{1,5})?|\[[0-9a-f:.]{2,45}\](?::\d{1,5})?)[ \t]*\r\n", re.I)
# OpenSSL has read 5 bytes, a TLS record's header, before it sees that this is none: "GET /" or "HEAD ".
PATH = re.compile(rb"/?([!-~]{0,2000}) HTTP/1")
NO_BODY = b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class ServerSocket(ssl.SSLSocket):
    """What a server's SSLContext makes of an accepted connection (`SSLContext.sslsocket_class`).

    OpenSSL keeps one queue of errors for each thread. Python reads it after a call without having emptied it before
    (CPython issues 148594 and 81891), so that one peer's broken connection closes another's. Here every call
    starts with an empty queue.
    """

    # Every connection of the process, so that a sign-out can end them.
    open: ClassVar[weakref.WeakSet[ServerSocket]] = weakref.WeakSet()

    @classmethod
    def _create(cls, *arguments: Any, **options: Any) -> ServerSocket:
        try:
            created: ServerSocket = super()._create(*arguments, **options)  # type: ignore[misc]
        except OSError as error:
            # Gone before the first word was read, which Python has several errors for, and tornado a traceback.
            raise hung_up(error) from error
        return created

    def do_handshake(self, block: bool = False) -> None:
        ServerSocket.open.add(self)
        try:
            with _apart():
                super().do_handshake(block)
        except ssl.SSLEOFError as error:
            if isinstance(error.__cause__, ssl.SSLError) and error.__cause__.reason == "HTTP_REQUEST":
                self._redirect()
            raise

    def recv_into(self, *arguments: Any, **options: Any) -> int:
        with _apart():
            return super().recv_into(*arguments, **options)

    def send(self, *arguments: Any, **options: Any) -> int:
        with _apart():
            return super().send(*arguments, **options)

    def read(self, *arguments: Any, **options: Any) -> Any:
        with _apart():
            return super().read(*arguments, **options)

    def write(self, *arguments: Any, **options: Any) -> int:
        with _apart():
            return super().write(*arguments, **options)

    def unwrap(self) -> socket.socket:
        with _apart():
            return super().unwrap()

    def _redirect(self) -> None:
        with contextlib.suppress(OSError):
            request = socket.socket.recv(self, REQUEST_BYTES_MAX)
            socket.socket.send(self, redirect_to_https(request))


@contextlib.contextmanager
def _apart() -> Iterator[None]:
    """Around each call of OpenSSL, whose errors are this connection's alone, and end it."""
    _clear_errors()
    try:
        yield
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise
    except ssl.SSLError as error:
        raise hung_up(error) from error


def hung_up(error: OSError) -> ssl.SSLEOFError:
    """As if the peer had hung up, which tornado takes without a line in the log: strangers' failures would fill it."""
    return ssl.SSLEOFError(ssl.SSL_ERROR_EOF, str(error))


def redirect_to_https(request: bytes) -> bytes:
    """The answer to a plain HTTP request whose first bytes are missing: the same address with the right scheme."""
    host, path = HOST.search(request), PATH.match(request)
    if not host:
        return b"HTTP/1.1 400 Bad Request" + NO_BODY
    target = b"https://" + host[1] + b"/" + (path[1] if path else b"")
    return (
        b"HTTP/1.1 307 Temporary Redirect\r\nLocation: "
        + target
        + b"\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    )
