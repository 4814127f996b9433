"""Odd requests by the thousand at a door with a lab behind it: each answer is its own connection's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import time
from ipaddress import IPv4Address
from pathlib import Path

from tests.oddities import KINDS
from tests.sockets import Form
from tests.wall import Wall, get, wall

REQUESTS = 10_000
AT_ONCE = 50
# How long a request that may never be whole is waited for.
SILENCE_SECONDS = 0.25
FORM = Form(b"Host: localhost", "token")
FIRST_ADDRESS = IPv4Address("127.1.0.1")
ASKED_BY = re.compile(rb"asked by ([0-9.]+);")
TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# The one form of a head, as strictly as RFC 9112 allows to ask.
HEAD = re.compile(
    rb"(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /[!-~\x80-\xff]* HTTP/1\.1\r\nHost: [!-~]*\r\n"
    rb"(?:%b: (?:[!-~\x80-\xff][\t !-~\x80-\xff]*)?\r\n)*\r\n" % TOKEN
)
LENGTH = re.compile(rb"\r\n(content-length|transfer-encoding): ([^\r]*)", re.I)


class Judge:
    """A lab that notes what it should never be asked, and answers twice, one answer for whoever would take it."""

    def __init__(self) -> None:
        self.faults: list[bytes] = []
        self.asked = 0

    async def speak(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        addresses = re.findall(rb"\r\nx-forwarded-for: ([^\r]*)", head, re.I)
        if (
            not HEAD.fullmatch(head)
            or len(addresses) != 1
            or re.search(rb"\r\n(cookie: (?!_xsrf=)|username)", head, re.I)
        ):
            self.faults.append(head)
        await self.read_body(reader, LENGTH.findall(head), head)
        said = b"asked by %b;" % addresses[0]
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(said), said) * 2)
        with contextlib.suppress(TimeoutError):
            # A connection carries one request; what came after it would be somebody's second.
            if rest := await asyncio.wait_for(reader.read(1), 0.01):
                self.faults.append(head + rest)

    async def read_body(self, reader: asyncio.StreamReader, lengths: list[tuple[bytes, bytes]], head: bytes) -> None:
        if len(lengths) > 1:
            self.faults.append(head)
        elif lengths and lengths[0][0].lower() == b"content-length":
            await reader.readexactly(int(lengths[0][1]))
        elif lengths:
            while size := int((await reader.readuntil(b"\r\n")).removesuffix(b"\r\n"), 16):
                if not (await reader.readexactly(size + 2)).endswith(b"\r\n"):
                    self.faults.append(head)
            if await reader.readexactly(2) != b"\r\n":
                self.faults.append(head)


async def converse(made: Wall, address: str, request: bytes) -> bytes:
    """What a connection from an address is answered to an odd request and a sound one behind it."""
    reader, writer = await asyncio.open_connection("127.0.0.1", made.port, local_addr=(address, 0))
    answered = b""
    with contextlib.suppress(ConnectionError):
        writer.write(request + get("/sound"))
        while part := await read_until_silence(made, reader):
            answered += part
    writer.close()
    return answered


async def read_until_silence(made: Wall, reader: asyncio.StreamReader) -> bytes:
    """What comes next; nothing, if none has come while another who asked later was answered, however slowly."""
    for _ in range(2):
        with contextlib.suppress(TimeoutError):
            return await asyncio.wait_for(reader.read(65536), SILENCE_SECONDS)
        later, writer = await asyncio.open_connection("127.0.0.1", made.port)
        writer.write(get("/sound"))
        await later.read()
        writer.close()
    return b""


async def fuzz(made: Wall, chance: random.Random) -> int:
    """How many answers of the lab's came back, each of them to the connection that had asked."""
    numbers, answers = iter(range(REQUESTS)), 0

    async def ask_on() -> None:
        nonlocal answers
        for number in numbers:
            address = str(FIRST_ADDRESS + number)
            _, request = chance.choice(KINDS)(chance, FORM)
            answered = await converse(made, address, request)
            askers = ASKED_BY.findall(answered)
            assert set(askers) <= {address.encode()}, f"{askers} to {address} for {request[:2000]!r}"
            answers += len(askers)

    await asyncio.gather(*(ask_on() for _ in range(AT_ONCE)))
    return answers


def test_no_request_of_one_connection_is_answered_on_another(tmp_path: Path) -> None:
    seed = int(os.environ.get("FUZZ_SEED", "1"))
    judge, began = Judge(), time.monotonic()
    with wall(tmp_path / "lab", judge.speak) as made:
        answers = asyncio.run(fuzz(made, random.Random(seed)))  # noqa: S311  # nothing secret
        assert made.ask(get("/sound")).endswith(b";")
    seconds = time.monotonic() - began
    print(f"FUZZ_SEED={seed}: {REQUESTS} requests, {judge.asked} reached the lab, {answers} answers, {seconds:.0f} s")
    assert not judge.faults, f"{len(judge.faults)} such as {judge.faults[0][:2000]!r}"
    assert answers > REQUESTS / 5
