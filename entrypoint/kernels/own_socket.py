"""The way to the kernels' server for what runs beside it."""

from __future__ import annotations

import socket
from pathlib import Path


def connected(path: Path, seconds: float) -> socket.socket:
    """A connection, each of whose answers may take so long.

    Raises:
        OSError: Nobody listens.
    """
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(seconds)
        connection.connect(str(path))
    except OSError:
        connection.close()
        raise
    return connection
