"""A lab that goes while it is asked for something: asked again is what it can't have done, and nothing else."""

from __future__ import annotations

import select
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from entrypoint.proxy import handler
from entrypoint.proxy.held import BODY_BYTES_MAX, TOGETHER_BYTES_MAX, HeldBody, Room
from tests.stacks import poll
from tests.wall import Wall, read_all, wall

SECONDS = 20
BODY = b"6\r\na note\r\n0\r\n\r\n"
HEAD = b"%b /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n"
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
HERE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhere"


class Lab:
    """One that is asked, and does what the test says."""

    def __init__(self, made: Wall) -> None:
        self.made = made
        self.listen()

    def listen(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.listener.bind(str(self.made.socket_path))
        self.listener.listen()
        self.listener.settimeout(SECONDS)

    def asked(self, end: bytes) -> tuple[socket.socket, bytes]:
        """The next connection, and what is said on it once that ends so; all of it is still to be read."""
        connection, _ = self.listener.accept()
        connection.settimeout(SECONDS)
        wanted = f"a request that ends with {end[-20:]!r}"
        return connection, poll(lambda: _whole(connection, end), wanted=wanted)

    def close(self) -> None:
        self.listener.close()
        self.made.socket_path.unlink(missing_ok=True)


def _whole(connection: socket.socket, end: bytes) -> bytes | None:
    said = connection.recv(1024 * 1024, socket.MSG_PEEK)
    return said if said.endswith(end) else None


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with wall(tmp_path / "lab", None) as made:
        made_lab = Lab(made)
        yield made_lab
        made_lab.close()


def post(framing: bytes = LENGTH % len(BODY), method: bytes = b"POST") -> bytes:
    return HEAD % method + framing + BODY


def check_is_asked_again(lab: Lab, browser: socket.socket, first: bytes | None = None) -> None:
    connection, second = lab.asked(BODY)
    with connection:
        assert first in (None, second)
        connection.sendall(HERE)
        assert read_all(browser).endswith(b"here")
    poll(lambda: lab.made.passage.room.bytes_left == TOGETHER_BYTES_MAX or None, wanted="the room that bodies took")


def check_is_told(lab: Lab, browser: socket.socket) -> None:
    assert read_all(browser).startswith(b"HTTP/1.1 502 ")
    lab.listener.setblocking(False)
    with pytest.raises(BlockingIOError):
        lab.listener.accept()


@pytest.mark.parametrize("framing", [LENGTH % len(BODY), CHUNKED], ids=["length", "chunks"])
@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH", b"DELETE"])
def test_what_a_lab_has_not_read_to_its_end_is_asked_again(lab: Lab, method: bytes, framing: bytes) -> None:
    for left in (1, 2, len(BODY), len(BODY) + 1, None):
        with lab.made.connect() as browser:
            browser.sendall(post(framing, method))
            connection, first = lab.asked(BODY)
            with connection:
                if left:
                    connection.recv(len(first) - left)
            check_is_asked_again(lab, browser, first)


def test_what_a_lab_has_not_even_taken_is_asked_again(lab: Lab) -> None:
    with lab.made.connect() as browser:
        browser.sendall(post())
        poll(lambda: select.select([lab.listener], [], [], 0)[0], wanted="a connection")
        lab.close()
        lab.listen()
        check_is_asked_again(lab, browser)


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"PATCH", b"DELETE"])
def test_what_a_lab_may_have_done_is_not_asked_again(lab: Lab, method: bytes) -> None:
    with lab.made.connect() as browser:
        browser.sendall(post(method=method))
        connection, first = lab.asked(BODY)
        with connection:
            assert connection.recv(len(first)) == first
        check_is_told(lab, browser)


def test_what_changes_nothing_is_asked_again_whatever_was_read(lab: Lab) -> None:
    with lab.made.connect() as browser:
        browser.sendall(post(method=b"GET"))
        connection, first = lab.asked(BODY)
        with connection:
            connection.recv(len(first))
        check_is_asked_again(lab, browser, first)


def test_a_body_that_is_still_coming_when_the_lab_goes_is_asked_again(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "LINGER_SECONDS", 0.0)
    request = post()
    with lab.made.connect() as browser:
        browser.sendall(request[:-8])
        connection, _ = lab.asked(request[-len(BODY) : -8])
        connection.close()
        browser.sendall(request[-8:-4])
        # Longer than who is refused is waited for.
        browser.settimeout(0.3)
        with pytest.raises(TimeoutError):
            browser.recv(1)
        browser.settimeout(SECONDS)
        browser.sendall(request[-4:])
        check_is_asked_again(lab, browser)


@pytest.mark.parametrize("beyond", [0, 1])
def test_only_so_much_of_a_body_is_held(lab: Lab, beyond: int) -> None:
    filled = b"x" * (BODY_BYTES_MAX + beyond - len(BODY))
    framing = LENGTH % (len(filled) + len(BODY))
    with lab.made.connect() as browser:
        browser.sendall(HEAD % b"PUT" + framing)
        lab.listener.accept()[0].close()
        browser.sendall(filled + BODY)
        if beyond:
            check_is_told(lab, browser)
            return
        connection, _ = lab.listener.accept()
        with connection:
            connection.settimeout(SECONDS)
            said = connection.recv(1024 * 1024)
            while not said.endswith(filled + BODY):
                said += connection.recv(1024 * 1024)
            connection.sendall(HERE)
        assert read_all(browser).endswith(b"here")


def test_all_bodies_together_have_a_bound_and_what_one_took_the_next_may_take() -> None:
    room = Room(10)
    first, second, third = (HeldBody(room) for _ in range(3))
    first.add(b"123456")
    second.add(b"1234")
    third.add(b"1")
    assert (first.is_whole, second.is_whole, third.is_whole) == (True, True, False)
    assert (first.parts, third.parts) == ([b"123456"], [])
    for each in (first, first, third):
        each.let_go()
    assert room.bytes_left == 6
    second.add(b"567890")
    assert second.parts == [b"1234", b"567890"]
    second.add(b"1")
    assert (second.is_whole, second.parts, room.bytes_left) == (False, [], 10)
    second.add(b"1")
    assert (second.parts, room.bytes_left) == ([], 10)
