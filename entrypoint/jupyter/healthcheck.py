"""Asks a running Jupyter server by the door's way. It runs twice a minute for years: it imports the least it can."""

from __future__ import annotations

import socket

TIMEOUT_SECONDS = 5
REQUEST = b"GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def tell_health(path: str, name: str) -> int:
    """Says whether the server of this name serves on its socket; returns the exit status."""
    reason = reason_unhealthy(path)
    print(reason or f"{name} answers.")
    return 1 if reason else 0


def reason_unhealthy(path: str) -> str | None:
    """Why nobody serves on a Unix socket; None if somebody does."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(path)
            connection.sendall(REQUEST)
            status = connection.recv(64).split(b"\r\n")[0]
    except OSError as error:
        return f"Jupyter does not answer: {error}."
    return None if status.startswith(b"HTTP/1.1 200") else f"Jupyter answers {status.decode('ascii', 'replace')!r}."
