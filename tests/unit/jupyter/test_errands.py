"""Work beside the event loop: what hangs holds up nothing else, and what writes to one path goes one by one."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from tornado.web import HTTPError

from entrypoint.jupyter.errands import Errands, mount_points, started_pool


class Loop(asyncio.SelectorEventLoop):
    """One whose clock a test sets on, once what has to come first has come."""

    ahead_seconds = 0.0

    def time(self) -> float:
        return super().time() + self.ahead_seconds


def run(test: Callable[[Loop], Coroutine[Any, Any, None]]) -> None:
    loop = Loop()
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        runner.run(test(loop))


def test_what_hangs_is_told_after_the_bound_and_holds_up_nothing_else() -> None:
    thaw, begun = threading.Event(), threading.Semaphore(0)

    def hang() -> None:
        begun.release()
        thaw.wait()

    async def ask(loop: Loop) -> None:
        errands = Errands(threads=3, of_one=2)
        stuck = [errands.run(hang, [f"/proc/{number}"], True, seconds=600) for number in range(5)]
        answers = asyncio.gather(*stuck, return_exceptions=True)
        for _ in range(2):
            await asyncio.to_thread(begun.acquire)
        assert await errands.run(lambda: "answered", ["/elsewhere"], True) == "answered"
        loop.ahead_seconds += 600
        texts = [str(answer) for answer in await answers if isinstance(answer, HTTPError)]
        assert len(texts) == 5
        assert all("has not answered for 600 seconds" in text for text in texts)
        # Two had begun; the others will never be.
        assert sum("may still come about" in text for text in texts) == 2
        thaw.set()
        assert await errands.run(lambda: "again", ["/proc/0"], True) == "again"
        # What nobody waits for any more ends a moment later.
        async with asyncio.timeout(20):
            while errands.tasks:
                await asyncio.sleep(0.001)

    run(ask)


def test_writers_of_one_path_go_one_by_one_in_their_order() -> None:
    seen, running = list[int](), list[int]()

    def write(number: int) -> None:
        running.append(number)
        time.sleep(0.001)
        seen.append(number)
        assert running.pop() == number
        assert not running

    async def ask() -> None:
        errands = Errands(threads=8)
        paths = [["/a"], ["/a", "/b"], ["/b", "/a"]]
        await asyncio.gather(*(errands.run(partial(write, n), paths[n % 3], True) for n in range(60)))

    asyncio.run(ask())
    assert seen == list(range(60))


def test_a_writer_that_hangs_keeps_its_turn_after_its_asker_was_told() -> None:
    begun, thaw, order = threading.Event(), threading.Event(), list[str]()

    def hang() -> None:
        begun.set()
        thaw.wait()
        order.append("first")

    async def ask(loop: Loop) -> None:
        errands = Errands(threads=4)
        askers = [errands.run(hang, ["/a"], True, seconds=600)]
        askers += [errands.run(lambda: order.append("given up"), ["/a"], True, seconds=600)]
        answers = asyncio.gather(*askers, return_exceptions=True)
        await asyncio.to_thread(begun.wait)
        loop.ahead_seconds += 600
        assert [type(answer) for answer in await answers] == [HTTPError, HTTPError]
        third = asyncio.ensure_future(errands.run(lambda: order.append("third"), ["/a"], True))
        await asyncio.sleep(0)
        thaw.set()
        await third

    run(ask)
    assert order == ["first", "third"]


def test_what_fails_says_so_to_its_asker() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(Errands(threads=1).run(lambda: 1 / 0, ["/a"]))


def test_all_threads_of_a_pool_run_from_its_start() -> None:
    before = set(threading.enumerate())
    pool = started_pool(7)
    assert len(set(threading.enumerate()) - before) == 7
    pool.shutdown()


def test_mount_points_are_found_by_name(tmp_path: Path) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text("".join(f"1 1 0:1 / {place} rw - ext4 x rw\n" for place in ("/", "/r", "/r/nas", "/re")))
    assert mount_points(["/r/nas/x", "/r/nasty", "/r", "/e"], mounts) == ["/r/nas", "/r", "/r", "/"]


def test_an_errand_that_has_ended_keeps_nothing_of_the_request_it_was_for() -> None:
    class Request:
        """Something that can be watched."""

    current: ContextVar[Request] = ContextVar("current")

    async def ask(errands: Errands) -> weakref.ref[Request]:
        request = Request()
        current.set(request)
        await errands.run(lambda: None, ["/repositories/a"])
        return weakref.ref(request)

    async def asked() -> Request | None:
        # The loop forgets a cancelled timer once none that counts comes before it, as one does in a server.
        asyncio.get_running_loop().call_later(20, lambda: None)
        gone = await asyncio.create_task(ask(Errands(1)))
        for _ in range(10):  # what is called back at its end
            await asyncio.sleep(0)
        gc.collect()
        return gone()

    assert asyncio.run(asked()) is None
