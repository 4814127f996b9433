"""Strangers who only shake hands and leave: nobody else's connection ends by it.

OpenSSL's queue of errors is each thread's, and Python reads it without having emptied it (CPython issues 148594 and
81891), so that one peer's broken connection closes another's. Docker's proxy on 127.0.0.1 hides it, hence the
container's own address. With Python 3.13.5 and OpenSSL 3.5.9, over
25 seconds each and without the mend in `entrypoint/certificates/sockets.py`: 696 websockets ended by 922 strangers who
left, 715 by 963 who aborted, none by 1190 who stopped halfway; the first of them ended the first. With it, none.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.clients import SECONDS, Client, Kernel
from tests.handshakes import Beside, Door, trusting
from tests.stacks import Stack, poll

STRANGERS = 250
EVERY_SECONDS = 0.02
PORT = 8888


def leave(door: Door) -> None:
    """Shakes hands and hangs up without a farewell, while the server's session tickets are on their way."""
    door.open().close()


def abort(door: Door) -> None:
    """Asks for something and resets the connection before the answer."""
    with door.open() as tls:
        tls.sendall(b"GET /api HTTP/1.1\r\nHost: localhost\r\n\r\n")
        reset_on_close(tls)


def stop_halfway(door: Door) -> None:
    """Greets and vanishes."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    greeting = door.context.wrap_bio(incoming, outgoing, server_hostname=door.name)
    with contextlib.suppress(ssl.SSLWantReadError):
        greeting.do_handshake()
    with socket.create_connection(door.address, timeout=5) as connection:
        connection.sendall(outgoing.read())
        reset_on_close(connection)


def reset_on_close(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Talk:
    """One websocket that asks its kernel the same over and over, and counts."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel = kernel
        self.asked = self.answered = 0

    def ask(self) -> None:
        request = self.kernel.send("1")
        self.asked += 1
        while True:
            message = self.kernel.receive(SECONDS)
            if message["msg_type"] == "execute_reply" and message["parent_header"]["msg_id"] == request:
                self.answered += 1
                return


@pytest.mark.parametrize("stranger", [leave, abort, stop_halfway])
def test_strangers_who_leave_at_the_handshake_end_no_connection_but_their_own(
    stack: Stack, authority: Path, client: Client, stranger: Callable[[Door], None]
) -> None:
    # The certificate doesn't hold this address, which is the network's own affair, but it has to be ours.
    door = Door((stack.address, PORT), trusting(authority), "localhost")
    kernel = client.start_kernel()
    talk = Talk(kernel)
    talk.ask()
    with Beside(talk.ask, every_seconds=0.01) as talks, Beside(lambda: stranger(door), EVERY_SECONDS) as strangers:
        poll(
            lambda: talks.failures or len(strangers.results) + len(strangers.failures) >= STRANGERS or None,
            180,
            f"{STRANGERS} strangers",
        )
    print(f"{stranger.__name__}: {len(strangers.results)} strangers, {talk.answered} of {talk.asked} answers")
    assert talks.failures == []
    assert talk.answered == talk.asked
    assert strangers.failures == []
    assert "Traceback" not in stack.log()
