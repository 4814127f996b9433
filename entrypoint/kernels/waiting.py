"""Waits until somebody asks for something, and becomes the server then. What it imports, it costs all the while."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys

SERVER = "entrypoint.kernels.server"
# Where something is to be done that nobody asks for.
AT_ONCE = "--at-once"
# Who asks while the server starts, as the pages of a browser with many tabs do.
BACKLOG = 256
# Whoever the door runs as; nobody else sees the folder.
MODE = 0o666


def listening(path: str) -> socket.socket:
    """A socket in the place of the last one, which the server inherits, so that nobody who waits there is lost."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    os.chmod(path, MODE)
    listener.listen(BACKLOG)
    listener.setblocking(False)
    listener.set_inheritable(True)
    return listener


def main(config_file: str, path: str, *words: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    listener = listening(path)
    if AT_ONCE not in words:
        select.select([listener], [], [])
    os.execv(sys.executable, [sys.executable, "-I", "-m", SERVER, config_file, str(listener.fileno())])


if __name__ == "__main__":
    main(*sys.argv[1:])
