"""A program in Jupyter's place, as a notebook could start one: it takes the server's socket, and misbehaves.

Run by `tests.other_labs` inside a server's container, from this text alone.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

# Below /run there, in a folder that is called after the service.
SOCKET, KEPT = "socket", "kept"
HEADS = Path("/tmp/heads.txt")
MEGABYTE = 2**20
# Of bytes that come before there is nothing more to be said.
GIGABYTE = 2**30
MAGIC = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"  # RFC 6455, section 1.3


def head_of(connection: socket.socket) -> bytes:
    head = b""
    while b"\r\n\r\n" not in head and (part := connection.recv(65536)):
        head += part
    return head


def silent(connection: socket.socket) -> None:
    while connection.recv(65536):
        continue


def slow(connection: socket.socket) -> None:
    for byte in b"HTTP/1.1 200 OK\r\n" + b"X-Slow: x\r\n" * 10_000:
        connection.sendall(bytes([byte]))
        time.sleep(0.2)


def closing(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def garbage(connection: socket.socket) -> None:
    head_of(connection)
    connection.sendall(os.urandom(MEGABYTE))


def endless(connection: socket.socket) -> None:
    """A gigabyte of headers."""
    head_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    lines = b"X-Header: %b\r\n" % (b"x" * 1000) * 1024
    for _ in range(GIGABYTE // len(lines)):
        connection.sendall(lines)


def one_line(connection: socket.socket) -> None:
    """A gigabyte of one header, without an end."""
    head_of(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nX-Header: ")
    for _ in range(GIGABYTE // MEGABYTE):
        connection.sendall(b"x" * MEGABYTE)


def noting(connection: socket.socket) -> None:
    """Answers soundly, and writes down the head of each request as it came."""
    head = head_of(connection)
    with HEADS.open("ab") as file:
        file.write(head.split(b"\r\n\r\n")[0] + b"\r\n\r\n")
    if b"Upgrade: websocket" in head:
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n")
        (key,) = re.findall(rb"Sec-WebSocket-Key: (\S+)", head, re.IGNORECASE)
        accept = base64.b64encode(hashlib.sha1(key + MAGIC, usedforsecurity=False).digest())
        connection.sendall(b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n")
        silent(connection)
    else:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")


KINDS: dict[str, Callable[[socket.socket], None]] = {
    each.__name__: each for each in (silent, slow, closing, garbage, endless, one_line, noting)
}


def speak(kind: str, connection: socket.socket) -> None:
    with contextlib.suppress(OSError), connection:
        KINDS[kind](connection)


def main(kind: str, folder: str) -> None:
    place, new = Path(folder) / SOCKET, Path(folder) / "new"
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(new))
    new.chmod(0o666)
    listener.listen(64)
    # Jupyter goes on listening at what it has opened.
    place.rename(Path(folder) / KEPT)
    new.rename(place)
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=speak, args=(kind, connection), daemon=True).start()


if __name__ == "__main__":
    main(*sys.argv[1:3])
