"""Asks the running JupyterLab by the door's way. It runs twice a minute for years: it imports the least it can."""

from __future__ import annotations

import socket
import sys

from entrypoint.files.places import Places
from entrypoint.system.privileges import become_owner

TIMEOUT_SECONDS = 5
REQUEST = b"GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def reason_unhealthy(path: str) -> str | None:
    """Why nobody serves on a Unix socket; None if somebody does."""
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(TIMEOUT_SECONDS)
            connection.connect(path)
            connection.sendall(REQUEST)
            status = connection.recv(64).split(b"\r\n")[0]
    except OSError as error:
        return f"JupyterLab does not answer: {error}."
    return None if status.startswith(b"HTTP/1.1 200") else f"JupyterLab answers {status.decode('ascii', 'replace')!r}."


def main() -> int:
    places = Places()
    # What lies there, people's code may have put there.
    become_owner(places.server_run)
    reason = reason_unhealthy(str(places.socket))
    print(reason or "JupyterLab answers.")
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
