"""A cell on its way to the kernel and back, and much output: beside the peer, and through the door beside past it."""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import docker
import websocket

from bench.contestants import workhorse
from bench.guessing import Person, person, their_person
from bench.spread import RUNS, Comparison, Spread
from tests.stacks import Stack

CELLS = 200
PRINTS = 20
OUTPUT = f"for _ in range({PRINTS}): print('x' * (2**20 - 1), flush=True)"
# Both would drop most of it else (jupyter_server, ZMQChannelsWebsocketConnection.iopub_data_rate_limit).
CLASS, ANY = "ZMQChannelsWebsocketConnection", 1e10
LIMITS = ("iopub_data_rate_limit", "iopub_msg_rate_limit")
FLUSHED = 20_000
FLUSHED_PRINTS = f"for n in range({FLUSHED}): print(f'{{n:09}}', flush=True)"
SETTINGS = "/home/.jupyter/jupyter_server_config.d"
UNLIMITED = tuple(f"--{CLASS}.{limit}={ANY}" for limit in LIMITS)
TIMEOUT_SECONDS = 120
REPLY = "execute_reply"


@dataclass(frozen=True)
class Way:
    """How a websocket to a kernel is opened."""

    connect: Callable[[], websocket.WebSocket]
    # A plain Jupyter loses some of many messages, that it is idle too, and is as quick as it is then.
    loses_nothing: bool = True

    def milliseconds_of_a_cell(self) -> float:
        with closing(self.connect()) as connection:
            seconds_of(connection, "1")
            return 1000 * median(seconds_of(connection, "1") for _ in range(CELLS))

    def seconds_of_output(self) -> float:
        with closing(self.connect()) as connection:
            return seconds_of(connection, OUTPUT, PRINTS * 2**20)

    def seconds_of_prints(self) -> float:
        with closing(self.connect()) as connection:
            if self.loses_nothing:
                return seconds_of(connection, FLUSHED_PRINTS, FLUSHED * 10)
            return seconds_of(connection, FLUSHED_PRINTS, end=REPLY)


def seconds_of(connection: websocket.WebSocket, code: str, printed: int = 0, end: str = "status") -> float:
    """From asking a kernel to run code until it is idle and all of what it prints is here.

    Args:
        end: The type of the message by which it is idle: its status, or the reply, which is never lost.
    """
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "version": "5.4"}
    message = {"header": {**header, "session": "bench", "date": ""}, "parent_header": {}}
    # By the cell the recorder knows what it is for.
    message["metadata"] = {"cellId": "bench"}
    content = {"code": code, "silent": False, "store_history": False, "allow_stdin": False}
    began = time.perf_counter()
    connection.send(json.dumps({**message, "channel": "shell", "buffers": [], "content": content}))
    while True:
        answer = json.loads(connection.recv())
        if answer["parent_header"].get("msg_id") != header["msg_id"]:
            continue
        printed -= len(answer["content"]["text"]) if answer["msg_type"] == "stream" else 0
        if answer["msg_type"] == end and answer["content"].get("execution_state", "idle") == "idle":
            if printed > 0:
                raise RuntimeError(f"{printed} bytes of the output are missing")
            return time.perf_counter() - began


def straight(stack: Stack, client: docker.DockerClient, somebody: Person) -> Way:
    """Past the door, as only root of this machine can go: by the socket that the kernels' server listens on."""
    folder = Path(client.volumes.get(f"{stack.project}_kernels").attrs["Mountpoint"])

    def connect() -> websocket.WebSocket:
        end = socket.socket(socket.AF_UNIX)
        end.connect(str(folder / "socket"))
        address = f"ws://localhost/api/kernels/{somebody.kernel}/channels"
        return websocket.create_connection(address, socket=end, timeout=TIMEOUT_SECONDS)

    return Way(connect)


def lift_limits(stack: Stack) -> None:
    settings = json.dumps({CLASS: dict.fromkeys(LIMITS, ANY)})
    stack.in_home_volume(f"mkdir -p {SETTINGS}; echo '{settings}' >{SETTINGS}/bench.json; chown -R 1000:1000 /home")


@contextmanager
def our_ways(client: docker.DockerClient) -> Iterator[tuple[Way, Way | None]]:
    """Through the door, and past it where this is root."""
    with workhorse() as stack:
        lift_limits(stack)
        stack.up()
        with person(stack.url, stack.authority()) as somebody:
            yield Way(somebody.connection), straight(stack, client, somebody) if os.getuid() == 0 else None


def cells(client: docker.DockerClient) -> list[Comparison]:
    """All by turns, in every round."""
    with ExitStack() as stack:
        door, past = stack.enter_context(our_ways(client))
        theirs = Way(stack.enter_context(their_person(client, *UNLIMITED)).connection, loses_nothing=False)
        ways = [way for way in (door, theirs, past) if way]
        rounds = [
            [(way.milliseconds_of_a_cell(), way.seconds_of_output(), way.seconds_of_prints()) for way in ways]
            for _ in range(RUNS)
        ]
    cell, output, prints = (
        [Spread(tuple(each[kind] for each in side)) for side in zip(*rounds, strict=True)] for kind in range(3)
    )
    return [
        Comparison("a cell, median round trip", "ms", cell[0], cell[1], aim="<= 0.35", decimals=1),
        Comparison("20 MB of output", "s", output[0], output[1], aim="<= 1.1"),
        Comparison("20,000 flushed prints", "s", prints[0], prints[1], aim="<= 1.5"),
        *(Comparison("a cell, beside straight to the kernel", "ms", cell[0], each, decimals=1) for each in cell[2:]),
        *(Comparison("20 MB, beside straight to the kernel", "s", output[0], each) for each in output[2:]),
    ]
