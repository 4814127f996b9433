"""What a gigabyte costs the door: its own process, measured while the bytes go up and down."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.wall import Wall, get, wall

GIGABYTE = 1024**3
PART = b"x" * 1024 * 1024
# One buffer for each side of a connection, and what the allocator keeps of them.
GROWTH_BYTES_MAX = 12_000_000


class Heavy:
    """A lab that has a gigabyte to give, and takes one."""

    taken = given = 0

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
            for _ in range(GIGABYTE // len(PART)):
                writer.write(PART)
                await writer.drain()
                self.given += len(PART)
            return
        while self.taken < GIGABYTE:
            self.taken += len(await reader.read(1024 * 1024))
            if head.startswith(b"PATCH"):
                await asyncio.sleep(1)
        writer.write(b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok")
        await writer.drain()


@contextmanager
def door_alone(socket_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    command = [sys.executable, "-m", "tests.wall", str(socket_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as door:
        assert door.stdout
        try:
            yield int(door.stdout.readline()), door
        finally:
            door.kill()


def peak_bytes(door: subprocess.Popen[bytes]) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{door.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


@pytest.fixture
def heavy(tmp_path: Path) -> Iterator[tuple[Heavy, Wall, subprocess.Popen[bytes]]]:
    lab = Heavy()
    with wall(tmp_path / "lab", lab.speak) as made, door_alone(made.socket_path) as (port, door):
        made.port = port
        yield lab, made, door


def download(made: Wall) -> int:
    received = 0
    with made.connect() as connection:
        connection.sendall(get("/x"))
        buffer = bytearray(1024 * 1024)
        while part := connection.recv_into(buffer):
            received += part
    return received


def upload(made: Wall, framing: bytes, part: bytes) -> bytes:
    with made.connect() as connection:
        connection.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n" + framing + b"\r\n\r\n")
        for _ in range(GIGABYTE // len(PART)):
            connection.sendall(part)
        if framing.startswith(b"Transfer"):
            connection.sendall(b"0\r\n\r\n")
        return connection.recv(65536)


def test_a_gigabyte_down_and_up_takes_no_more_memory_than_a_little(
    heavy: tuple[Heavy, Wall, subprocess.Popen[bytes]],
) -> None:
    lab, made, door = heavy
    made.ask(b"GET /x HTTP/1.1\r\nHost: x\r\nX-Stranger: 1\r\nConnection: close\r\n\r\n")
    before = peak_bytes(door)
    began = time.monotonic()
    assert download(made) > GIGABYTE
    down = time.monotonic()
    assert upload(made, b"Content-Length: %d" % GIGABYTE, PART).startswith(b"HTTP/1.1 201 ")
    up, lab.taken = time.monotonic(), 0
    assert upload(made, b"Transfer-Encoding: chunked", b"100000\r\n" + PART + b"\r\n").startswith(b"HTTP/1.1 201 ")
    speeds = [GIGABYTE / 1e6 / seconds for seconds in (down - began, up - down, time.monotonic() - up)]
    grown = peak_bytes(door) - before
    print("down {:.0f}, up {:.0f}, in chunks {:.0f} MB/s".format(*speeds), f"{before} bytes before, {grown} grown")
    assert grown < GROWTH_BYTES_MAX


def test_who_reads_slowly_slows_down_the_lab_and_a_slow_lab_the_browser(
    heavy: tuple[Heavy, Wall, subprocess.Popen[bytes]],
) -> None:
    lab, made, door = heavy
    before = peak_bytes(door)
    sent = 0
    with made.connect() as reader, made.connect() as writer:
        reader.sendall(get("/x"))
        writer.sendall(b"PATCH /x HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % GIGABYTE)
        writer.settimeout(0.5)
        with pytest.raises(TimeoutError):
            while sent < GIGABYTE:
                sent += writer.send(PART)
        threading.Event().wait(0.5)
    # What kernel and door hold in between, and no more.
    assert max(lab.given, sent) < 64_000_000
    assert peak_bytes(door) - before < GROWTH_BYTES_MAX
