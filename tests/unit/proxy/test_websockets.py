"""Websockets through the door: bytes both ways, and an end that loses no message."""

from __future__ import annotations

import asyncio
import contextlib
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tornado import websocket as tornado_s
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketClosedError, WebSocketHandler
from websocket import ABNF, WebSocket, create_connection

from entrypoint.jupyter.last_words import say_last_words
from entrypoint.proxy.frames import Frames, close_frame
from entrypoint.proxy.open_connections import GOING_AWAY, SERVICE_RESTART
from entrypoint.proxy.splice import CLOSE_SECONDS, LINGER_SECONDS
from tests.wall import HANDSHAKE, STRANGER, Wall, get, wall

BURST = 3


class Channel(WebSocketHandler):
    """Sends back what it gets; asked to count, it counts for as long as somebody listens.

    Asked to burst, it hands over at once, as Jupyter does, more than its socket holds; and then is asked to end.
    """

    counted = 0
    closed_with: int | None = None
    after_burst = staticmethod(lambda: None)

    def check_origin(self, origin: str) -> bool:
        return True

    async def on_message(self, message: str | bytes) -> None:
        if message == "count":
            # Beside, or the Close would wait for its turn.
            self.counting = asyncio.ensure_future(self.count())
        elif message == "burst":
            for number in range(BURST):
                self.write_message(f"{number} " + "x" * 700_000)
            Channel.after_burst()
        else:
            await self.write_message(message, binary=isinstance(message, bytes))

    async def count(self) -> None:
        with contextlib.suppress(WebSocketClosedError, StreamClosedError):
            while True:
                await self.write_message(f"{Channel.counted} " + "x" * random.choice((1, 200, 70_000)))  # noqa: S311
                Channel.counted += 1
                await asyncio.sleep(0)

    def on_close(self) -> None:
        Channel.closed_with = self.close_code


class Forbidden(RequestHandler):
    def get(self) -> None:
        self.set_status(403)
        self.finish("not you")


@pytest.fixture(autouse=True)
def a_lab_s_websockets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of the lab's process, which for a test is this one."""
    monkeypatch.setattr(tornado_s, "WebSocketProtocol13", tornado_s.WebSocketProtocol13)
    say_last_words()


@contextmanager
def talking(path: Path, wait_seconds: float = 30.0) -> Iterator[tuple[Wall, Callable[[], None]]]:
    """A door, and how to start the lab behind it."""
    with wall(path, None, wait_seconds) as made:
        servers: list[HTTPServer] = []

        async def start() -> None:
            servers.append(HTTPServer(Application([("/ws", Channel), ("/no", Forbidden)], log_function=lambda _: None)))
            servers[0].add_socket(bind_unix_socket(str(path)))

        yield made, lambda: made.run(start())
        for server in servers:
            made.loop.call_soon_threadsafe(server.stop)


@pytest.fixture
def talk(tmp_path: Path) -> Iterator[Wall]:
    with talking(tmp_path / "lab") as (made, start):
        start()
        yield made


def connect(made: Wall, path: str = "/ws", login: str = "ada") -> WebSocket:
    return create_connection(f"ws://127.0.0.1:{made.port}{path}", timeout=20, header={"X-Login": login})


def until_closed(websocket: WebSocket) -> tuple[list[str], int | None]:
    """The first words of the messages that still come, and the code of the Close after them."""
    words: list[str] = []
    with contextlib.suppress(ConnectionError):
        while True:
            opcode, data = websocket.recv_data(control_frame=True)
            if opcode == ABNF.OPCODE_CLOSE:
                websocket.shutdown()  # type: ignore[no-untyped-call]
                return words, int.from_bytes(data[:2], "big")
            words.append(data.split()[0].decode())
    return words, None


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65_535, 65_536, 3_000_000])
def test_a_message_of_any_length_comes_back_as_it_went(talk: Wall, size: int) -> None:
    websocket = connect(talk)
    sent = random.Random(size).randbytes(size)  # noqa: S311
    websocket.send_binary(sent)
    assert websocket.recv() == sent
    websocket.close()


def test_a_browser_s_close_reaches_the_lab_and_leaves_nothing(talk: Wall) -> None:
    websocket = connect(talk)
    websocket.send_close(4321)
    assert until_closed(websocket) == ([], 4321)
    deadline = time.monotonic() + 5
    while len(talk.passage.connections) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert len(talk.passage.connections) == 0


def test_a_handshake_that_the_lab_refuses_is_refused(talk: Wall) -> None:
    refused = talk.ask(get("/no", *HANDSHAKE))
    assert refused.startswith(b"HTTP/1.1 403 ")
    assert refused.endswith(b"not you")


def test_a_stranger_s_handshake_is_refused(talk: Wall) -> None:
    assert talk.ask(get("/ws", f"{STRANGER}: 1", *HANDSHAKE)).startswith(b"HTTP/1.1 403 ")


def test_a_handshake_waits_for_an_absent_lab(tmp_path: Path) -> None:
    with talking(tmp_path / "lab") as (made, start):
        threading.Timer(0.5, start).start()
        websocket = connect(made)
        websocket.send("here")
        assert websocket.recv() == "here"
        websocket.close()


def test_the_end_of_a_login_ends_its_websockets_and_no_others(talk: Wall) -> None:
    ended, other = connect(talk, login="ada"), connect(talk, login="bob")
    talk.loop.call_soon_threadsafe(talk.passage.connections.close_login, "ada")
    assert until_closed(ended) == ([], GOING_AWAY)
    other.send("still here")
    assert other.recv() == "still here"
    talk.loop.call_soon_threadsafe(talk.passage.connections.end_where, lambda _: True)
    assert until_closed(other) == ([], GOING_AWAY)


def test_a_lab_that_answers_no_close_is_not_waited_for(tmp_path: Path) -> None:
    async def shake_hands_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")
        await asyncio.sleep(60)

    with wall(tmp_path / "lab", shake_hands_only) as made, made.connect() as connection:
        connection.sendall(b"GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        assert connection.recv(65536).startswith(b"HTTP/1.1 101 ")
        began = time.monotonic()
        made.loop.call_soon_threadsafe(made.passage.connections.end_where, lambda _: True)
        assert connection.recv(65536) == close_frame(GOING_AWAY, is_masked=False)
        assert connection.recv(65536) == b""
        assert time.monotonic() - began < 2 * (CLOSE_SECONDS + LINGER_SECONDS)


@pytest.mark.parametrize("attempt", range(5))
def test_a_door_that_stops_loses_no_message(talk: Wall, attempt: int) -> None:
    Channel.counted, Channel.closed_with = 0, None
    websocket = connect(talk)
    websocket.send("count")
    first = [websocket.recv().split()[0] for _ in range(20 + attempt)]
    stopping = asyncio.run_coroutine_threadsafe(talk.passage.connections.stop(10), talk.loop)
    rest, code = until_closed(websocket)
    stopping.result(20)
    assert code == SERVICE_RESTART
    assert Channel.closed_with == SERVICE_RESTART
    numbers = [int(word) for word in first + rest]
    # What the lab could no longer send, it knows of: Jupyter keeps that for who comes next.
    assert numbers == list(range(len(numbers)))
    assert 0 <= Channel.counted - len(numbers) <= 1


def test_a_browser_that_is_behind_still_gets_all_that_was_said_before_the_end(
    talk: Wall, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Channel, "after_burst", lambda: talk.passage.connections.end_where(lambda _: True))
    websocket = connect(talk)
    websocket.send("burst")
    assert until_closed(websocket) == ([str(number) for number in range(BURST)], GOING_AWAY)


def test_the_ends_of_frames_are_found_however_their_bytes_come() -> None:
    chance = random.Random(1)  # noqa: S311
    for _ in range(200):
        frames, ends = b"", []
        for _ in range(chance.randint(1, 6)):
            data = chance.randbytes(chance.choice([0, 1, 125, 126, 127, 300, 70_000]))
            frames += ABNF.create_frame(data, ABNF.OPCODE_BINARY).format() if data else b"\x82\x00"
            ends.append(len(frames))
        followed, position = Frames(), 0
        while position < len(frames):
            part = frames[position : position + chance.choice([1, 2, 7, 100, 65536])]
            followed.pass_over(part)
            position += len(part)
            assert followed.is_between == (position in ends)
        cut = chance.randrange(len(frames))
        followed = Frames()
        followed.pass_over(frames[:cut])
        is_between, rest = followed.is_between, followed.rest_of_frame(frames[cut:])
        assert cut + len(rest) == (cut if is_between else min(end for end in ends if end > cut))
