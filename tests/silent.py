"""Strangers who connect and do next to nothing, from a process of their own with as many files as they need.

Run by `tests.stack.test_silent_strangers` in a container on the host's network, so that it is apart from the test's own
limits, and has the address that every connection through a published port has.
"""

from __future__ import annotations

import resource
import select
import socket
import ssl
import sys


def greeting() -> bytes:
    """What a TLS client says first."""
    outgoing = ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client = context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return outgoing.read()
    raise AssertionError("a handshake without an answer")


def shaken(connection: socket.socket) -> socket.socket:
    """After a handshake."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection)


def are_open(connections: list[socket.socket], word: bytes) -> int:
    """How many take another byte."""
    count = 0
    for connection in connections:
        try:
            connection.send(word)
            count += 1
        except OSError:
            continue
    return count


def is_gone(connection: socket.socket) -> bool:
    """Whether the server has hung up. Past TLS, whose own words may lie there unread."""
    connection.setblocking(False)
    try:
        return not socket.socket.recv(connection, 1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        return True


def main(kind: str, host: str, port: int, count: int) -> None:
    """Connects, says what came of it, and stays: silent, a byte a second, greeted without an end, or asking nothing.

    Until standard input ends.
    """
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    first, connections, refused = greeting(), list[socket.socket](), 0
    for _ in range(count):
        try:
            connection = socket.create_connection((host, port), timeout=20)
            if kind == "greeting":
                connection.sendall(first)
            connections.append(shaken(connection) if kind in ("asking", "slowly asking") else connection)
        except OSError:
            refused += 1
    print(f"there: {len(connections)}, refused: {refused}, gone: {sum(map(is_gone, connections))}", flush=True)
    number = 0
    while not select.select([sys.stdin], [], [], 1)[0]:
        if kind == "slow":
            are_open(connections, first[number : number + 1])
        elif kind == "slowly asking":
            are_open(connections, b"GET /login?"[number : number + 1] or b"x")
        number += 1


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
