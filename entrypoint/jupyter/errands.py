"""Work that may have to wait for a disk: beside the event loop, bounded in number and in time."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from contextvars import Context
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from weakref import WeakValueDictionary

from tornado.web import HTTPError

THREADS = 48
# A file system that hangs keeps the threads that wait for it; the others' are left.
THREADS_OF_ONE_FILE_SYSTEM = 16
SECONDS = 30.0
MOUNTS = Path("/proc/self/mountinfo")


@dataclass
class _Errand:
    """One function, which is dropped with all that it holds if nobody waits for it any more."""

    function: Callable[[], Any] | None
    has_begun: bool = False

    def do(self) -> Any:
        function, self.function = self.function, None
        self.has_begun = function is not None
        return function() if function else None


class Errands:
    """Runs functions in threads. Of those that write to one path, one at a time, in the order in which they came."""

    def __init__(self, threads: int = THREADS, of_one: int = THREADS_OF_ONE_FILE_SYSTEM) -> None:
        self.pool, self.of_one = started_pool(threads), of_one
        self.tasks: set[asyncio.Task[Any]] = set()
        self.locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self.rooms: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    @classmethod
    @cache
    def of_the_server(cls) -> Errands:
        """One for everything that the server touches for people."""
        return cls()

    async def run(
        self, function: Callable[[], Any], paths: Iterable[str], writes: bool = False, seconds: float | None = SECONDS
    ) -> Any:
        """What the function returns or raises.

        Args:
            paths: Absolute ones of what it touches.
            seconds: For how long it is waited for; None for whoever bounds that otherwise.

        Raises:
            HTTPError: The disk hasn't answered for so long. What had begun may still come to its end.
        """
        errand, paths = _Errand(function), sorted(set(paths))
        task = asyncio.ensure_future(self._do_in_turn(errand, paths, writes))
        self.tasks.add(task)
        task.add_done_callback(self._forget)
        if await ends_within(task, seconds):
            return task.result()
        errand.function = None
        raise HTTPError(503, reason_for_no_answer(paths, seconds or 0, writes and errand.has_begun))

    async def _do_in_turn(self, errand: _Errand, paths: list[str], writes: bool) -> Any:
        async with AsyncExitStack() as turn:
            for path in paths if writes else ():
                await turn.enter_async_context(self.locks.setdefault(path, asyncio.Lock()))
            for place in sorted(set(mount_points(paths))):
                await turn.enter_async_context(self.rooms.setdefault(place, asyncio.Semaphore(self.of_one)))
            return await asyncio.get_running_loop().run_in_executor(self.pool, errand.do)

    def _forget(self, task: asyncio.Task[Any]) -> None:
        self.tasks.discard(task)
        if not task.cancelled():
            # Or asyncio would report that nobody has asked for it.
            task.exception()


async def ends_within(task: asyncio.Future[Any], seconds: float | None) -> bool:
    """Whether a task has ended in time; it goes on if not.

    As asyncio.wait does it, but for the context: a timer that was cancelled lies about until its time, and would keep
    the request that it was made for, with all of its body.
    """
    loop, nobody_s = asyncio.get_running_loop(), Context()
    ended = loop.create_future()

    def tell(_: object = None) -> None:
        if not ended.done():
            ended.set_result(None)

    task.add_done_callback(tell, context=nobody_s)
    timer = None if seconds is None else loop.call_later(seconds, tell, context=nobody_s)
    try:
        await ended
    finally:
        task.remove_done_callback(tell)
        if timer:
            timer.cancel()
    return task.done()


def reason_for_no_answer(paths: Iterable[str], seconds: float, may_still_happen: bool) -> str:
    still = "What was begun may still come about." if may_still_happen else "Nothing was changed."
    return f"The disk of {', '.join(paths)} has not answered for {seconds:g} seconds. {still}"


def mount_points(paths: Iterable[str], mounts: Path = MOUNTS) -> list[str]:
    """Where the file system of each path is mounted, as far as names tell, since asking a disk may take for ever."""
    places = all_mounted(mounts)
    return [max((place for place in places if _lies_in(path, place)), key=len, default="/") for path in paths]


def all_mounted(mounts: Path = MOUNTS) -> list[str]:
    """Where whatever this process sees is mounted (proc_pid_mountinfo(5): spaces and the like as octal numbers)."""
    places = [line.split(" ", 5)[4] for line in mounts.read_text(errors="surrogateescape").splitlines()]
    return [re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), place) for place in places]


def _lies_in(path: str, place: str) -> bool:
    return place == "/" or path == place or path.startswith(f"{place}{os.sep}")


def started_pool(threads: int, initializer: Callable[[], None] | None = None) -> ThreadPoolExecutor:
    """A pool whose threads run from now on: later there may be no room for another process or thread."""
    pool, all_run = ThreadPoolExecutor(threads, initializer=initializer), threading.Barrier(threads)
    # Each waits for all, so none can do the work of two.
    for begun in [pool.submit(all_run.wait) for _ in range(threads)]:
        begun.result()
    return pool
