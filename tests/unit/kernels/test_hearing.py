"""Whoever listens to a kernel hears all that it says, in its order, and what waits for them is bounded in bytes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import zmq
from jupyter_client.session import Session
from zmq.eventloop.zmqstream import ZMQStream

from entrypoint.kernels.hearing import BYTES_MAX, Hearing, Listener

MESSAGES, LONG = 400, 200_000
SECONDS = 30
# As the image's kernels, which wait with what they have to say.
WAITING_MAX = 100


@asynccontextmanager
async def kernel() -> AsyncIterator[tuple[Hearing, zmq.Socket[bytes]]]:
    """One that waits for its listeners, and what hears it."""
    with zmq.Context() as context:
        says, hears = context.socket(zmq.XPUB), context.socket(zmq.SUB)
        for option, value in ((zmq.SNDHWM, WAITING_MAX), (zmq.XPUB_NODROP, 1), (zmq.LINGER, 0)):
            says.setsockopt(option, value)
        says.bind("tcp://127.0.0.1:*")
        hears.setsockopt(zmq.RCVHWM, WAITING_MAX)
        hears.setsockopt(zmq.LINGER, 0)
        hears.subscribe(b"")
        hears.connect(says.getsockopt_string(zmq.LAST_ENDPOINT))
        # The subscription.
        await asyncio.to_thread(says.recv)
        hearing = Hearing(ZMQStream(hears), Session())
        try:
            yield hearing, says
        finally:
            hearing.close()
            says.close()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(SECONDS):
        while not holds():
            await asyncio.sleep(0.01)


def numbers(count: int) -> list[list[bytes]]:
    return [[b"topic", str(n).encode()] for n in range(count)]


def collecting(listener: Listener) -> list[list[bytes]]:
    heard: list[list[bytes]] = []
    listener.on_recv(heard.append)
    return heard


def test_all_who_listen_hear_all_in_its_order_and_a_fault_is_one_s_own() -> None:
    async def check() -> None:
        async with kernel() as (hearing, says):

            def fail(message: list[bytes]) -> None:
                message.clear()
                raise ValueError

            hearing.listen().on_recv(fail)
            both = [collecting(hearing.listen()) for _ in range(2)]
            for message in numbers(MESSAGES):
                await asyncio.to_thread(says.send_multipart, message)
            await until(lambda: all(len(heard) == MESSAGES for heard in both))
            assert both == [numbers(MESSAGES)] * 2

    asyncio.run(check())


def test_who_listens_hears_later_what_came_before_it_said_how() -> None:
    async def check() -> None:
        async with kernel() as (hearing, says):
            early, late = hearing.listen(), hearing.listen()
            heard = collecting(early)
            for message in numbers(MESSAGES):
                await asyncio.to_thread(says.send_multipart, message)
            await until(lambda: len(heard) == MESSAGES)
            told: list[tuple[Listener, list[bytes]]] = []
            late.on_recv_stream(lambda stream, message: told.append((stream, message)))
            await until(lambda: len(told) == MESSAGES)
            assert told == [(late, message) for message in numbers(MESSAGES)]

    asyncio.run(check())


def test_of_who_never_says_how_little_is_kept() -> None:
    async def check() -> None:
        async with kernel() as (hearing, says):
            heard, silent = collecting(hearing.listen()), hearing.listen()
            for _ in range(MESSAGES):
                await asyncio.to_thread(says.send_multipart, [b"x" * LONG])
            await until(lambda: len(heard) == MESSAGES)
            assert silent._unheard.bytes <= BYTES_MAX

    asyncio.run(check())


@pytest.mark.parametrize("length", [1, LONG])
def test_whatever_comes_while_the_server_is_busy_is_heard_whole_and_little_waits(length: int) -> None:
    async def check() -> None:
        async with kernel() as (hearing, says):
            heard, most = list[int](), 0

            def hear_slowly(message: list[bytes]) -> None:
                nonlocal most
                heard.append(int(message[0]))
                most = max(most, hearing._waiting.bytes)
                time.sleep(0.002)

            def say() -> None:
                for number in range(MESSAGES):
                    says.send_multipart([str(number).encode(), b"x" * length])

            hearing.listen().on_recv(hear_slowly)
            saying = asyncio.create_task(asyncio.to_thread(say))
            await until(lambda: len(heard) == MESSAGES)
            await saying
            assert heard == list(range(MESSAGES))
            assert most < BYTES_MAX + LONG + 1000

    asyncio.run(check())


def test_what_has_come_is_heard_before_what_follows() -> None:
    async def check() -> None:
        async with kernel() as (hearing, says):
            listener = hearing.listen()
            heard = collecting(listener)
            for message in numbers(WAITING_MAX // 2):
                says.send_multipart(message)
            # Without a turn of the event loop.
            deadline = time.monotonic() + SECONDS
            while len(heard) < WAITING_MAX // 2 and time.monotonic() < deadline:
                listener.flush()
            assert heard == numbers(WAITING_MAX // 2)

    asyncio.run(check())


def test_who_has_gone_hears_nothing_and_the_others_all() -> None:
    async def check() -> None:
        async with kernel() as (hearing, says):
            gone, stays = hearing.listen(), hearing.listen()
            of_gone, of_stays = collecting(gone), collecting(stays)
            gone.close()
            gone.close()
            assert [each.closed() for each in (gone, stays)] == [True, False]
            assert [each.socket.closed for each in (gone, stays)] == [True, False]
            await asyncio.to_thread(says.send_multipart, [b"said"])
            await until(lambda: of_stays)
            assert (of_gone, of_stays) == ([], [[b"said"]])
            hearing.close()
            assert stays.closed()
            stays.flush()

    asyncio.run(check())
