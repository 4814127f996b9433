"""What the door asks the lab itself: an answer, or soon a reason why there is none, whatever the lab does."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entrypoint.proxy.asking import NoAnswerError, ask_kernels

BYTES_MAX = 1000
# For an answer that comes, and for one that doesn't.
SECONDS, GIVEN_UP_SECONDS = 20.0, 0.5


@contextmanager
def lab(path: Path, *parts: bytes, pause: float = 0, hangs: bool = False) -> Iterator[list[bytes]]:
    """One that says these parts to whoever comes, and keeps what it was asked."""
    asked: list[bytes] = []
    ended = threading.Event()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()

    def speak() -> None:
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536))
            for part in parts:
                try:
                    connection.sendall(part)
                except OSError:
                    return
                ended.wait(pause)
            if hangs:
                ended.wait(30)

    thread = threading.Thread(target=speak, daemon=True)
    thread.start()
    try:
        yield asked
    finally:
        ended.set()
        thread.join(10)
        listener.close()


def json_answer(text: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()


def reason(path: Path, seconds: float = SECONDS) -> str:
    with pytest.raises(NoAnswerError) as caught:
        ask_kernels(path, "/workhorse/report", seconds, BYTES_MAX)
    return str(caught.value)


def test_an_answer_comes_as_parsed_json(tmp_path: Path) -> None:
    with lab(tmp_path / "lab", json_answer('{"kernels": [1]}')) as asked:
        assert ask_kernels(tmp_path / "lab", "/workhorse/report", SECONDS, BYTES_MAX) == {"kernels": [1]}
    assert asked == [b"GET /workhorse/report HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"]


def test_an_answer_in_chunks_comes_too(tmp_path: Path) -> None:
    said = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n", b"1\r\n]\r\n0\r\n\r\n"
    with lab(tmp_path / "lab", *said):
        assert ask_kernels(tmp_path / "lab", "/workhorse/news", SECONDS, BYTES_MAX) == [1]


ODD = {
    "nothing": (b"", "Remote end closed connection without response"),
    "garbage": (b"\x00\xff" * 100, "\\x00"),
    "no JSON": (json_answer("{"), "Expecting property name"),
    "JSON without an end": (json_answer("[" * 900), ""),
    "another status": (b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "it answers with status 404"),
    "less than it promises": (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n[]", "IncompleteRead"),
    "too much": (json_answer('"' + "a" * BYTES_MAX + '"'), f"longer than {BYTES_MAX} bytes"),
    "a head without an end": (b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 1000, f"longer than {BYTES_MAX} bytes"),
}


@pytest.mark.parametrize(("said", "expected"), ODD.values(), ids=ODD.keys())
def test_what_is_no_answer_is_a_reason_in_one_printable_line(tmp_path: Path, said: bytes, expected: str) -> None:
    with lab(tmp_path / "lab", said):
        told = reason(tmp_path / "lab")
    assert expected in told
    assert told.isprintable()


def test_a_silent_lab_is_given_up(tmp_path: Path) -> None:
    with lab(tmp_path / "lab", hangs=True):
        assert "nothing whole for 0.5 seconds" in reason(tmp_path / "lab", GIVEN_UP_SECONDS)


def test_a_lab_that_drips_is_given_up_too(tmp_path: Path) -> None:
    with lab(tmp_path / "lab", *[b"H"] * 100, pause=0.1):
        assert "nothing whole for 0.5 seconds" in reason(tmp_path / "lab", GIVEN_UP_SECONDS)


def test_a_lab_that_accepts_nobody_is_given_up_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as first:
        listener.bind(str(tmp_path / "lab"))
        listener.listen(0)
        first.connect(str(tmp_path / "lab"))
        assert "nothing whole for 0.5 seconds" in reason(tmp_path / "lab", GIVEN_UP_SECONDS)


def test_no_link_is_followed(tmp_path: Path) -> None:
    with lab(tmp_path / "elsewhere", json_answer("[]")):
        (tmp_path / "lab").symlink_to("elsewhere")
        assert reason(tmp_path / "lab")
        assert ask_kernels(tmp_path / "elsewhere", "/", SECONDS, BYTES_MAX) == []


def test_what_is_no_socket_is_no_lab(tmp_path: Path) -> None:
    assert "No such file" in reason(tmp_path / "lab")
    (tmp_path / "lab").write_text("")
    assert "Socket operation on non-socket" in reason(tmp_path / "lab")
