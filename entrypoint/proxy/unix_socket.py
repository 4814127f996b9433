"""Connects to a Unix socket in a folder that others write to: to that socket, and nowhere that a link leads to."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path


def connect_without_links(connection: socket.socket, path: Path) -> None:
    """Connects to the socket that stands at a path.

    Raises:
        OSError: There is none, or something else in its place, or nobody listens.
    """
    # connect(2) follows links; what has been opened is the thing itself (open(2), O_PATH).
    descriptor = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        if not stat.S_ISSOCK(os.fstat(descriptor).st_mode):
            raise OSError(errno.ENOTSOCK, os.strerror(errno.ENOTSOCK), str(path))
        connection.connect(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)
