"""HTTP as bytes over verified TLS, for requests that no library would send."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import time
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """What a login form gives anybody: the token against forgery."""

    host: bytes
    token: str

    @classmethod
    def fetch(cls, port: int, tls: ssl.SSLContext) -> Form:
        host = b"Host: localhost:%d" % port
        page = exchange(port, tls, b"GET /login HTTP/1.1\r\n" + host + b"\r\nConnection: close\r\n\r\n", 10)
        token = re.search(rb"_xsrf=([^;]+)", page or b"")
        assert token, page
        return cls(host, token[1].decode())

    def get(self, path: str) -> bytes:
        return b"\r\n".join([f"GET {path} HTTP/1.1".encode(), self.host, b"", b""])

    def post(self, body: bytes, *headers: str) -> bytes:
        """The form, sent with its token."""
        body += f"&_xsrf={self.token}".encode()
        lines = ["POST /login HTTP/1.1", f"Cookie: _xsrf={self.token}", f"Content-Length: {len(body)}", *headers]
        lines += ["Content-Type: application/x-www-form-urlencoded", self.host.decode(), "", ""]
        return "\r\n".join(lines).encode() + body


def connect(port: int, tls: ssl.SSLContext) -> ssl.SSLSocket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=10)
    return tls.wrap_socket(connection, server_hostname="localhost")


def exchange(port: int, tls: ssl.SSLContext, request: bytes, seconds: float) -> bytes | None:
    """The beginning of the answer to a request; empty where the server closed instead, None where it did nothing."""
    with connect(port, tls) as connection:
        # A server that refuses early may close before it has read everything.
        with contextlib.suppress(OSError):
            connection.sendall(request)
        connection.settimeout(seconds)
        deadline, answer = time.monotonic() + seconds, b""
        while time.monotonic() < deadline and b"\r\n\r\n" not in answer:
            try:
                part = connection.recv(65536)
            except TimeoutError:
                return answer or None
            except OSError:
                return answer
            if not part:
                return answer
            answer += part
        return answer


def status_of(answer: bytes | None) -> int | None:
    found = re.match(rb"HTTP/1\.[01] (\d{3}) ", answer or b"")
    return int(found[1]) if found else None
