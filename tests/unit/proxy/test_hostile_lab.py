"""A lab that says whatever it likes: what of it reaches the browser, and that a broken answer never looks whole."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import pytest

from tests.wall import Speaks, get, read_all, wall

GIGABYTE = 1024**3
WHOLE = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\nX-Own: y\r\n\r\n0123456789"
CHUNKS = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n5\r\n56789\r\n0\r\n\r\n"


def saying(said: bytes) -> Speaks:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)
        await writer.drain()
        writer.close()

    return speak


def shown(tmp_path: Path, said: bytes, request: bytes = get("/x")) -> bytes:
    with wall(tmp_path / "lab", saying(said)) as made:
        return made.ask(request)


NO_ANSWER = {
    "nothing": b"",
    "garbage": bytes(range(256)) * 40,
    "a word": b"hello\r\n\r\n",
    "no HTTP": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n",
    "a status that is none": b"HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
    "another protocol": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nx",
    "no end but the connection's": b"HTTP/1.1 200 OK\r\n\r\nabc",
    "a folded header": b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a NUL in a header": b"HTTP/1.1 200 OK\r\nX: a\x00b\r\nContent-Length: 0\r\n\r\n",
    "a hundred continues": b"HTTP/1.1 100 Continue\r\n\r\n" * 100,
    "a head of 70 kB": b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\nContent-Length: 0\r\n\r\n",
}


@pytest.mark.parametrize("said", NO_ANSWER.values(), ids=NO_ANSWER.keys())
def test_what_is_no_answer_becomes_the_door_s_own(tmp_path: Path, said: bytes) -> None:
    answered = shown(tmp_path, said)
    assert answered.startswith(b"HTTP/1.1 502 ")
    assert b"docker compose logs lab" in answered


BROKEN = {
    "both lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a length that is none": b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\nabc",
    "a chunk that is none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "a chunk that is too long": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
    "another coding": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "a length too short for what was said": b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
}


@pytest.mark.parametrize("version", [b"HTTP/1.1", b"HTTP/1.0"])
@pytest.mark.parametrize("said", BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_body_breaks_the_browser_s_connection(tmp_path: Path, said: bytes, version: bytes) -> None:
    with wall(tmp_path / "lab", saying(said)) as made, made.connect() as connection:
        connection.sendall(get("/x").replace(b"HTTP/1.1", version))
        try:
            answered = read_all(connection)
        except ConnectionResetError:
            return
    assert answered.startswith(b"HTTP/1.1 502 ")


@pytest.mark.parametrize("said", [WHOLE, CHUNKS], ids=["length", "chunks"])
def test_a_lab_that_hangs_up_at_any_byte_never_looks_whole(tmp_path: Path, said: bytes) -> None:
    left = list(range(len(said)))

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(said[: int(head.split()[1][1:])])
        writer.close()

    with wall(tmp_path / "lab", speak) as made:
        for end in left:
            with made.connect() as connection:
                connection.sendall(get(f"/{end}"))
                try:
                    answered = read_all(connection)
                except ConnectionResetError:
                    continue
                assert answered.startswith(b"HTTP/1.1 502 "), f"{answered!r} to {said[:end]!r}"
        assert b"56789" in made.ask(get(f"/{len(said)}"))


def test_a_second_answer_is_nobody_s(tmp_path: Path) -> None:
    with wall(tmp_path / "lab", saying(WHOLE + b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen")) as made:
        kept = get("/1").replace(b"Connection: close\r\n", b"")
        both = made.ask(kept + get("/2"))
    assert both.count(b"0123456789") == 2
    assert b"stolen" not in both


def test_an_answer_before_the_request_is_whole_is_that_request_s(tmp_path: Path) -> None:
    async def answer_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(WHOLE)
        await reader.read()
        writer.close()

    with wall(tmp_path / "lab", answer_first) as made, made.connect() as connection:
        connection.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234")
        first = connection.recv(65536)
        assert first.startswith(b"HTTP/1.1 200 ")
        connection.sendall(b"56789" + get("/health"))
        rest = read_all(connection)
    assert (first + rest).count(b"0123456789") == 1
    assert rest.endswith(b"ok\n")


@pytest.mark.parametrize("said", [0, 1, len(WHOLE) - 1])
def test_a_silent_and_a_slow_lab_hold_up_nobody_else(tmp_path: Path, said: int) -> None:
    has_said, may_end = threading.Event(), asyncio.Event()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for byte in WHOLE[:said]:
            writer.write(bytes([byte]))
            await writer.drain()
        has_said.set()
        await may_end.wait()
        writer.write(WHOLE[said:])
        writer.close()

    with wall(tmp_path / "lab", drip) as made, made.connect() as connection:
        connection.sendall(get("/x"))
        assert has_said.wait(20)
        assert made.ask(get("/health")).endswith(b"ok\n")
        made.loop.call_soon_threadsafe(may_end.set)
        assert read_all(connection).endswith(b"0123456789")


def test_of_endless_headers_only_so_much_is_read(tmp_path: Path) -> None:
    sent = 0

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        writer.write(b"HTTP/1.1 200 OK\r\n")
        try:
            while sent < GIGABYTE:
                writer.write(b"X: " + b"y" * 60_000 + b"\r\n")
                sent += 60_000
                await writer.drain()
        except ConnectionError:
            writer.close()

    with wall(tmp_path / "lab", pour) as made:
        assert made.ask(get("/x")).startswith(b"HTTP/1.1 502 ")
    assert sent < 4_000_000


NOT_THE_LAB_S = {
    "the login": "Set-Cookie: username-localhost=secret; Path=/",
    "a known device": "Set-Cookie: workhorse-device=secret",
    "a cookie with a space": "Set-Cookie:  username-localhost =secret",
    "a cookie in old form": "Set-Cookie2: username-localhost=secret",
    "HTTPS for good": "Strict-Transport-Security: max-age=secret",
    "another server": 'Alt-Svc: h2="secret:443"',
    "an end to the login": 'Clear-Site-Data: "secret"',
    "reports to others": "Report-To: secret",
    "a login box": "WWW-Authenticate: Basic realm=secret",
    "other sites": "Access-Control-Allow-Origin: https://secret",
    "a name": "Server: secret",
    "what is told of the connection": "Keep-Alive: secret",
    "what Connection names": "Connection: X-Own\r\nX-Own: secret",
    "a protocol": "Upgrade: secret",
    "weaker referrers": "Referrer-Policy: secret",
    "a weaker frame": "X-Frame-Options: secret",
    "trailers": "Trailer: secret",
    "a worker for every page": "Service-Worker-Allowed: /secret",
    "what pages may use": "Permissions-Policy: secret=*",
    "reports of a policy": "Content-Security-Policy-Report-Only: report-uri https://secret",
    "another page in its place": "Refresh: 0; url=https://secret",
    "pages to load before": "Speculation-Rules: secret",
}


@pytest.mark.parametrize("header", NOT_THE_LAB_S.values(), ids=NOT_THE_LAB_S.keys())
def test_what_the_origin_says_is_the_door_s_to_say(tmp_path: Path, header: str) -> None:
    answered = shown(tmp_path, f"HTTP/1.1 200 OK\r\n{header}\r\nContent-Length: 2\r\n\r\nok".encode())
    assert answered.endswith(b"ok")
    assert b"secret" not in answered
    assert b"X-Content-Type-Options: nosniff" in answered


def test_the_token_against_forgery_passes_and_stays_on_tls(tmp_path: Path) -> None:
    set_ = "Set-Cookie: _xsrf=2|a|b|1; Domain=evil.example.net; expires=Mon, 01 Jan 2029 00:00:00 GMT; Path=/x"
    answered = shown(tmp_path, f"HTTP/1.1 204 No Content\r\n{set_}\r\n\r\n".encode())
    kept = b"Set-Cookie: _xsrf=2|a|b|1; expires=Mon, 01 Jan 2029 00:00:00 GMT; Path=/; Secure; SameSite=Lax\r\n"
    assert kept in answered


@pytest.mark.parametrize("own", ["sandbox allow-scripts", "base-uri *", "default-src *"])
def test_the_lab_s_policy_stands_beside_the_door_s(tmp_path: Path, own: str) -> None:
    head = f"HTTP/1.1 200 OK\r\nContent-Security-Policy: {own}\r\nContent-Length: 0\r\n\r\n"
    answered = shown(tmp_path, head.encode())
    policies = answered.partition(b"Content-Security-Policy: ")[2].partition(b"\r\n")[0].decode()
    assert policies.startswith(f"{own}, frame-ancestors 'self'; base-uri 'self'")
    assert answered.count(b"Content-Security-Policy") == 1


def test_trailers_are_dropped_with_the_answer_that_has_them(tmp_path: Path) -> None:
    said = CHUNKS.removesuffix(b"\r\n") + b"Set-Cookie: username-localhost=secret\r\n\r\n"
    with wall(tmp_path / "lab", saying(said)) as made, made.connect() as connection:
        connection.sendall(get("/x"))
        with pytest.raises(ConnectionResetError):
            assert b"secret" not in read_all(connection)


def test_a_lab_that_keeps_pace_with_nobody_costs_no_memory_when_the_browser_has_gone(tmp_path: Path) -> None:
    ended = asyncio.Event()

    async def pour(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            ended.set()
            writer.close()

    with wall(tmp_path / "lab", pour) as made:
        with made.connect() as connection:
            connection.sendall(get("/x"))
            assert connection.recv(65536)
        made.run(asyncio.wait_for(ended.wait(), 10))
