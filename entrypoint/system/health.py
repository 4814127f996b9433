"""Asks a server on its Unix socket whether it serves. It runs twice a minute for years: it imports the least it can."""

from __future__ import annotations

import socket

TIMEOUT_SECONDS = 5
JUPYTER = ("Jupyter", "/api")


def tell_health(path: str, name: str, asked: tuple[str, str] = JUPYTER) -> int:
    """Says whether the server of this name serves on its socket; returns the exit status.

    Args:
        asked: What the program is called where it doesn't answer, and the address at which it would.
    """
    reason = reason_unhealthy(path, asked)
    print(reason or f"{name} answers.")
    return 1 if reason else 0


def reason_unhealthy(path: str, asked: tuple[str, str] = JUPYTER) -> str | None:
    """Why nobody serves on a Unix socket; None if somebody does."""
    program, address = asked
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(path)
            connection.sendall(f"GET {address} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            status = connection.recv(64).split(b"\r\n")[0]
    except OSError as error:
        return f"{program} does not answer: {error}."
    return None if status.startswith(b"HTTP/1.1 200") else f"{program} answers {status.decode('ascii', 'replace')!r}."
