"""What passes the door's proxy, and what doesn't: a real door on loopback, a lab on a Unix socket."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.wall import HANDSHAKE, LOGIN, Speaks, Wall, get, read_all, wall

SHORT_SECONDS = 0.5


async def read_request(reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """Head and body of a request in the one form that the door sends."""
    head = await reader.readuntil(b"\r\n\r\n")
    body = b""
    lines = [line.lower() for line in head.split(b"\r\n")]
    if b"transfer-encoding: chunked" in lines:
        while size := int((await reader.readuntil(b"\r\n")).strip(), 16):
            body += (await reader.readexactly(size + 2))[:-2]
        await reader.readexactly(2)
    for line in lines:
        if line.startswith(b"content-length:"):
            body = await reader.readexactly(int(line.partition(b":")[2]))
    return head, body


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers with what it was asked."""
    head, body = await read_request(reader)
    writer.write(answer(json.dumps([head.decode("latin-1"), body.decode("latin-1")]).encode()))
    await writer.drain()
    writer.close()


@pytest.fixture(scope="module")
def echoing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wall]:
    with wall(tmp_path_factory.mktemp("echo") / "lab", echo) as made:
        yield made


def heard(answered: bytes) -> tuple[list[str], str]:
    """The lines of the head, and the body, that the lab was asked with."""
    assert answered.startswith(b"HTTP/1.1 200 "), answered
    head, body = json.loads(answered.partition(b"\r\n\r\n")[2])
    return head.split("\r\n")[:-2], body


def answering(said: bytes) -> Speaks:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(said)
        await writer.drain()
        writer.close()

    return speak


def test_a_request_reaches_the_lab_with_its_host_its_body_and_its_own_headers(echoing: Wall) -> None:
    request = b"PUT /api/contents/a%20b?x=1 HTTP/1.1\r\nHost: lab.example.org:8888\r\nX-Own: y\r\n"
    lines, body = heard(echoing.ask(request + b"Connection: close\r\nContent-Length: 5\r\n\r\nhello"))
    assert lines[0] == "PUT /api/contents/a%20b?x=1 HTTP/1.1"
    assert body == "hello"
    assert {"Host: lab.example.org:8888", "X-Own: y", "Content-Length: 5", "X-Forwarded-Proto: http"} <= set(lines)
    assert {"X-Forwarded-For: 127.0.0.1", "X-Forwarded-Host: lab.example.org:8888"} <= set(lines)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_a_body_in_chunks_reaches_the_lab_in_chunks(echoing: Wall, method: str) -> None:
    head = f"{method} /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n".encode()
    lines, body = heard(echoing.ask(head + b"3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"))
    assert body == "abcdefg"
    assert "Transfer-Encoding: chunked" in lines
    assert not any(line.startswith("Content-Length") for line in lines)


KEPT_FROM_THE_LAB = {
    "the login": "Cookie: username-localhost=secret; workhorse-device=secret",
    "a password of a proxy's": "Authorization: Basic secret",
    "what a proxy asks": "Proxy-Authorization: Basic secret",
    "a claim to an address": "X-Forwarded-For: secret",
    "a claim to a scheme": "X-Scheme: secret",
    "a claim with underscores": "X_Forwarded_For: secret",
    "a claim to a name": "X-Workhorse-User: secret",
    "an address for tornado": "X-Real-Ip: secret",
    "the standard's claim": "Forwarded: for=secret",
    "a name that a proxy gives": "Remote-User: secret",
    "a protocol to change to": "Upgrade: secret",
    "codings": "TE: secret",
    "what is told of the connection": "Keep-Alive: secret",
    "what Connection names": "Connection: X-Own\r\nX-Own: secret",
    "trailers": "Trailer: secret",
    "an expectation": "Expect: secret",
}


@pytest.mark.parametrize("header", KEPT_FROM_THE_LAB.values(), ids=KEPT_FROM_THE_LAB.keys())
def test_what_is_the_door_s_stays_with_the_door(echoing: Wall, header: str) -> None:
    with echoing.connect() as connection:
        connection.sendall(f"GET /x HTTP/1.1\r\nHost: localhost\r\n{header}\r\n\r\n".encode())
        assert b"secret" not in connection.recv(65536)


def test_of_the_cookies_only_the_token_against_forgery_reaches_the_lab(echoing: Wall) -> None:
    cookies = ["Cookie: a=b; _xsrf=2|ab|cd|12; " + LOGIN.decode(), "Cookie: c=d"]
    lines, _ = heard(echoing.ask(get("/x", *cookies)))
    assert [line for line in lines if "ookie" in line] == ["Cookie: _xsrf=2|ab|cd|12"]


def test_a_cluster_s_pages_can_only_be_looked_at_and_by_pages_of_this_server(echoing: Wall) -> None:
    assert heard(echoing.ask(get("/dask/status")))[0][0] == "GET /dask/status HTTP/1.1"
    post = b"POST /dask/x HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
    assert echoing.ask(post).startswith(b"HTTP/1.1 403 ")
    for origin in ((), ("Origin: http://evil.example.net",), ("Origin: http://localhost:1",), ("Origin: null",)):
        assert echoing.ask(get("/dask/status/ws", *HANDSHAKE, *origin)).startswith(b"HTTP/1.1 403 "), origin


NO_MEANING = {
    "both lengths": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "lengths that differ": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "lengths in a row": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3, 4\r\n\r\nabcd",
    "the same length twice": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a length with a sign": b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: +3\r\n\r\nabc",
    "a folded header": b"GET /x HTTP/1.1\r\nHost: x\r\nX: a\r\n b\r\n\r\n",
    "another host's address": b"GET http://evil.example.net/x HTTP/1.1\r\nHost: x\r\n\r\n",
    "an asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "a NUL": b"GET /x HTTP/1.1\r\nHost: x\r\nX: a\x00b\r\n\r\n",
    "a lone CR": b"GET /x HTTP/1.1\r\nHost: x\r\nX: a\rb\r\n\r\n",
    "a space before the colon": b"GET /x HTTP/1.1\r\nHost: x\r\nContent-Length : 3\r\n\r\nabc",
    "a coding nobody knows": b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "two codings": b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n0",
    "chunks in HTTP/1.0": b"POST /x HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a websocket with a body": b"GET /x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc",
    "a worker for all pages": b"GET /x.js HTTP/1.1\r\nHost: x\r\nService-Worker: script\r\n\r\n",
    "the same by its use": b"GET /x.js HTTP/1.1\r\nHost: x\r\nSec-Fetch-Dest: serviceworker\r\n\r\n",
    "two hosts": b"GET /x HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
}


@pytest.mark.parametrize("request_", NO_MEANING.values(), ids=NO_MEANING.keys())
def test_a_request_without_one_meaning_or_right_is_refused_and_its_connection_closed(
    tmp_path: Path, request_: bytes
) -> None:
    asked: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.read(1))
        writer.close()

    with wall(tmp_path / "lab", listen) as made:
        assert made.ask(request_ + get("/next")).startswith(b"HTTP/1.1 400 ")
    assert not asked


@pytest.mark.parametrize(
    "chunk", [b"zz\r\nabc\r\n0\r\n\r\n", b"-1\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"0x3\r\nabc\r\n"]
)
def test_a_request_that_breaks_off_at_an_odd_chunk_never_ends_for_the_lab(tmp_path: Path, chunk: bytes) -> None:
    heard_: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard_.append(await reader.read())
        writer.close()

    with wall(tmp_path / "lab", listen) as made:
        head = b"POST /x HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        assert b" 200 " not in made.ask(head + chunk + get("/next"))
        deadline = time.monotonic() + 5
        while not heard_ and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(heard_) == 1
    assert not heard_[0].endswith(b"0\r\n\r\n")


def test_a_stranger_gets_the_form_for_a_page_and_a_refusal_for_the_rest(echoing: Wall) -> None:
    page = echoing.ask(get("/lab/tree/a b?x".replace(" ", "%20"), "X-Stranger: 1", "Accept: text/html"))
    assert page.startswith(b"HTTP/1.1 302 ")
    assert b"Location: /login?next=%2Flab%2Ftree%2Fa%2520b%3Fx\r\n" in page
    assert echoing.ask(get("/api/contents", "X-Stranger: 1")).startswith(b"HTTP/1.1 403 ")
    assert echoing.ask(get("/api/kernels/a-b", "X-Stranger: 1")).startswith(b"HTTP/1.1 424 ")


def test_who_waits_to_send_a_body_is_told_to(echoing: Wall) -> None:
    with echoing.connect() as connection:
        head = b"PUT /x HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nConnection: close\r\nContent-Length: 3\r\n\r\n"
        connection.sendall(head)
        assert connection.recv(65536).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert heard(read_all(connection))[1] == "abc"


def test_connections_are_kept_and_requests_may_follow_one_another(echoing: Wall) -> None:
    with echoing.connect() as connection:
        connection.sendall(get("/1").replace(b"Connection: close\r\n", b"") * 3 + get("/2"))
        said = read_all(connection)
    assert said.count(b"HTTP/1.1 200 ") == 4
    assert said.count(b"GET /1 ") == 3


def test_old_http_gets_an_answer_that_ends(tmp_path: Path) -> None:
    chunks = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    with wall(tmp_path / "lab", answering(chunks)) as made:
        said = made.ask(b"GET /x HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n\r\n")
        assert said.endswith(b"\r\n\r\nabc")


BODILESS = {
    "HEAD": (b"HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", b"Content-Length: 5"),
    "HEAD of chunks": (b"HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"200 OK"),
    "204": (b"GET", b"HTTP/1.1 204 No Content\r\n\r\n", b"204 No Content"),
    "304": (b"GET", b'HTTP/1.1 304 Not Modified\r\nEtag: "x"\r\n\r\n', b'Etag: "x"'),
    "after 103": (b"GET", b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b"204 No Content"),
}


@pytest.mark.parametrize(("method", "said", "shown"), BODILESS.values(), ids=BODILESS.keys())
def test_an_answer_without_a_body_leaves_the_connection_clean(
    tmp_path: Path, method: bytes, said: bytes, shown: bytes
) -> None:
    with wall(tmp_path / "lab", answering(said)) as made:
        kept = get("/x").replace(b"GET", method, 1).replace(b"Connection: close\r\n", b"")
        both = made.ask(kept + get("/health"))
    assert shown in both
    assert both.endswith(b"\r\n\r\nok\n")
    assert both.count(b"HTTP/1.1 ") == 2


def test_a_lab_that_refuses_an_upload_half_way_is_heard(tmp_path: Path) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer(b"too much", status="413 Too Large"))
        await writer.drain()
        writer.close()

    with wall(tmp_path / "lab", refuse) as made, made.connect() as connection:
        connection.sendall(b"PUT /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 8000000\r\n\r\n")
        for _ in range(80):
            connection.sendall(b"x" * 100_000)
        said = read_all(connection)
    assert said.startswith(b"HTTP/1.1 413 ")
    assert said.endswith(b"too much")


def test_an_absent_lab_is_waited_for(tmp_path: Path) -> None:
    with wall(tmp_path / "lab", None) as made, made.connect() as connection:
        connection.sendall(get("/x"))
        time.sleep(SHORT_SECONDS)
        made.open_lab(echo)
        assert heard(read_all(connection))[0][0] == "GET /x HTTP/1.1"


def test_who_has_waited_in_vain_is_told_what_is_wrong_and_what_to_do(tmp_path: Path) -> None:
    with wall(tmp_path / "lab", None, wait_seconds=SHORT_SECONDS) as made:
        page = made.ask(get("/lab", "Accept: text/html"))
        assert page.startswith(b"HTTP/1.1 503 ")
        assert b"<h1>Workhorse</h1>" in page
        assert b"docker compose logs lab" in page
        told = made.ask(get("/api/contents"))
        assert told.startswith(b"HTTP/1.1 503 ")
        assert "docker compose logs lab" in json.loads(told.partition(b"\r\n\r\n")[2])["message"]


def test_while_some_wait_the_door_answers_at_once(tmp_path: Path) -> None:
    with wall(tmp_path / "lab", None, wait_seconds=5) as made, made.connect() as waiting:
        waiting.sendall(get("/x"))
        began = time.monotonic()
        assert made.ask(get("/health")).endswith(b"ok\n")
        assert time.monotonic() - began < 2


def test_a_lab_whose_queue_is_full_is_waited_for_too(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener, wall(tmp_path / "lab", None, wait_seconds=10) as made:
        listener.bind(str(tmp_path / "lab"))
        listener.listen(0)
        with socket.socket(socket.AF_UNIX) as filler, made.connect() as connection:
            filler.connect(str(tmp_path / "lab"))
            connection.sendall(get("/x"))
            time.sleep(SHORT_SECONDS)
            listener.accept()[0].close()
            lab, _ = listener.accept()
            with lab:
                assert lab.recv(65536).startswith(b"GET /x ")
                lab.sendall(answer(b"at last"))
                assert read_all(connection).endswith(b"at last")


def test_a_request_to_a_lab_that_was_just_going_is_asked_again(tmp_path: Path) -> None:
    times: list[int] = []

    async def go_first(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        times.append(1)
        if len(times) > 1:
            writer.write(answer(b"here"))
        writer.close()

    with wall(tmp_path / "lab", go_first) as made:
        assert made.ask(get("/x")).endswith(b"here")


def test_there_may_be_only_so_many_at_once(tmp_path: Path) -> None:
    with wall(tmp_path / "lab", None, wait_seconds=5) as made, made.connect() as waiting:
        made.passage.connections.maximum = 1
        waiting.sendall(get("/x"))
        time.sleep(SHORT_SECONDS)
        assert b"Too many" in made.ask(get("/y"))


def test_a_login_s_end_ends_what_it_waits_for(tmp_path: Path) -> None:
    async def stay_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    with wall(tmp_path / "lab", stay_silent) as made, made.connect() as connection:
        connection.sendall(get("/x"))
        time.sleep(SHORT_SECONDS)
        made.loop.call_soon_threadsafe(made.passage.connections.close_login, "ada")
        with pytest.raises(ConnectionResetError):
            read_all(connection)
        assert len(made.passage.connections) == 0


def test_a_login_s_end_ends_its_wait_for_an_absent_lab(tmp_path: Path) -> None:
    with wall(tmp_path / "lab", None, wait_seconds=20) as made, made.connect() as connection:
        connection.sendall(get("/x"))
        time.sleep(SHORT_SECONDS)
        made.loop.call_soon_threadsafe(made.passage.connections.end_where, lambda _: True)
        with pytest.raises(ConnectionResetError):
            read_all(connection)
        assert len(made.passage.connections) == 0


def test_nothing_of_jupyter_s_is_imported() -> None:
    code = "import sys, entrypoint.proxy.handler; print([name for name in sys.modules if 'jupyter' in name])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout == b"[]\n"
