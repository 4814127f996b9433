"""Guesses at a login form at a steady rate, as a process of its own: python -m bench.guesser URL RATE [CA_FILE]."""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
import time
from urllib.parse import urlencode, urlsplit

import requests

CONNECTIONS = 16
LENGTH = re.compile(rb"content-length: *(\d+)", re.I)


async def guess_on(host: str, port: int, tls: ssl.SSLContext | None, request: bytes, seconds_apart: float) -> None:
    """One connection: a guess at each beat, or as soon after it as the answer before has come."""
    reader, writer = await asyncio.open_connection(host, port, ssl=tls)
    beat = time.monotonic()
    while True:
        beat = max(beat + seconds_apart, time.monotonic())
        await asyncio.sleep(beat - time.monotonic())
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        await reader.readexactly(int(length[1]) if length else 0)
        print(head[9:12].decode(), flush=True)


async def guess(url: str, rate: float, authority: str | None) -> None:
    with requests.Session() as session:
        session.trust_env = False
        token = session.get(f"{url}/login", verify=authority, timeout=30).cookies["_xsrf"]
    body = urlencode({"password": "not the password", "_xsrf": token}).encode()
    host, port = urlsplit(url).hostname or "", urlsplit(url).port or 0
    lines = (
        "POST /login HTTP/1.1", f"Host: {host}:{port}", f"Cookie: _xsrf={token}", f"Content-Length: {len(body)}",
        "Content-Type: application/x-www-form-urlencoded", "", "",
    )  # fmt: skip
    request = "\r\n".join(lines).encode() + body
    tls = ssl.create_default_context(cafile=authority) if authority else None
    await asyncio.gather(*(guess_on(host, port, tls, request, CONNECTIONS / rate) for _ in range(CONNECTIONS)))


if __name__ == "__main__":
    asyncio.run(guess(sys.argv[1], float(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None))
