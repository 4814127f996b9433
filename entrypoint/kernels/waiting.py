"""Waits until somebody asks for something, and becomes the server then. What it imports, it costs all the while."""

from __future__ import annotations

import contextlib
import os
import select
import signal
import socket
import sys

SERVER = "entrypoint.kernels.server"
# Which the server becomes again when nothing runs any more.
WAITING = "entrypoint.kernels.waiting"
# Where something is to be done that nobody asks for.
AT_ONCE = "--at-once"
# Who asks while the server starts, as the pages of a browser with many tabs do.
BACKLOG = 256
# Whoever the door runs as; nobody else sees the folder.
MODE = 0o666
# Beside the socket, so that the door need not ask, and start, a server that nobody else has asked for anything.
AWAKE = "awake"
# Before the number of the socket that a server hands back.
LISTENER = "--listener="


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
    handed = [int(word.removeprefix(LISTENER)) for word in words if word.startswith(LISTENER)]
    listener = socket.socket(fileno=handed[0]) if handed else listening(path)
    awake = os.path.join(os.path.dirname(path), AWAKE)
    with contextlib.suppress(OSError):
        os.unlink(awake)
    if AT_ONCE not in words:
        select.select([listener], [], [])
    # No notice is worth a server that doesn't start.
    with contextlib.suppress(OSError):
        os.mknod(awake, 0o644)
    number = str(listener.fileno())
    again = [WAITING, config_file, path, f"{LISTENER}{number}"]
    os.execv(sys.executable, [sys.executable, "-I", "-m", SERVER, config_file, number, *again])


if __name__ == "__main__":
    main(*sys.argv[1:])
