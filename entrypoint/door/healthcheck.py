"""Asks the running server over its own TLS. It runs twice a minute for years: it imports the least it can."""

from __future__ import annotations

import os
import socket
import ssl
import sys

from entrypoint.files.untrusted import read_untrusted
from entrypoint.system.privileges import become_owner

# The container's own, which docker-compose.yml publishes as PORT.
PORT = 8888
TIMEOUT_SECONDS = 5
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def reason_unhealthy(authority: str, port: int) -> str | None:
    """Why the server on this machine doesn't serve; None if it does.

    Args:
        authority: Path of the PEM file with the authority that must have signed its certificate.
    """
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(cadata=read_untrusted(authority).decode("ascii"))
        with (
            socket.create_connection(("127.0.0.1", port), TIMEOUT_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname="localhost") as tls,
        ):
            tls.sendall(REQUEST)
            status = tls.recv(64).split(b"\r\n")[0]
    except (OSError, ValueError) as error:
        return f"The server does not answer: {error}."
    return None if status.startswith(b"HTTP/1.1 200") else f"The server answers {status.decode('ascii', 'replace')!r}."


def main(authority: str, port: int) -> int:
    reason = reason_unhealthy(authority, port)
    print(reason or "The server answers.")
    return 1 if reason else 0


if __name__ == "__main__":
    # Nothing here takes root, where the container was started as root.
    become_owner(os.path.dirname(sys.argv[1]))
    sys.exit(main(sys.argv[1], int(sys.argv[2])))
