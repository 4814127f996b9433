"""Records what each kernel puts out, and brings it into the notebook once no page is there to do so.

While a page of a notebook is connected, the page alone writes it. A page that has left may come back, as when it is
loaded anew, so nothing is written at once; one that was cut off, as by a closed lid, is waited for longer.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial, wraps
from pathlib import Path
from typing import Any

from entrypoint.jupyter.errands import Errands
from entrypoint.recorder.notebooks import Notebooks, Place, Written
from entrypoint.recorder.runs import Recording, Run
from entrypoint.recorder.store import Store

# How long a page may be away before its notebook is written without it.
LEFT_SECONDS = 20.0
CUT_SECONDS = 120.0
# How long what is said to a page may go nowhere before Jupyter takes its line for dead (ws_ping_interval and
# ws_ping_timeout), and the door's part of it.
LOST_SECONDS = 150.0
# After the last of its saves that are on their way.
LOOK_SECONDS = 2.0
ENDED_SECONDS = 2.0
STORE_SECONDS = 3.0
AGAIN_SECONDS = 60.0
STOP_SECONDS = 2.0
WRITTEN_MAX = 20
AWAY_MAX = 100
TOLD_MAX = 1000
# Of a cell that isn't there, or not as it was run.
GONE = "gone"
KILLED = "Workhorse was ended while this cell ran, as by a power cut; what it had put out until then stands above."
STOPPED = "Workhorse was stopped while this cell ran; what it had put out until then stands above."


def fails_open(method: Callable[..., None]) -> Callable[..., None]:
    """A fault of the recorder's ends the record of a moment, and no more: pages and kernels go on."""

    @wraps(method)
    def attempt(self: Recorder, *arguments: Any, **options: Any) -> None:
        try:
            method(self, *arguments, **options)
        except Exception as error:
            self.warn_once(f"What a cell puts out could not be recorded: {type(error).__name__}: {error}")

    return attempt


@dataclass(eq=False)
class Followed:
    """A kernel, or one that is gone and whose notebook doesn't hold all of it yet.

    Args:
        pages: How many are connected.
        patience: Seconds that its notebook is left to a page that may come back.
    """

    recording: Recording
    place: Place | None = None
    pages: int = 0
    patience: float = LEFT_SECONDS
    # Since when there is a page, and since when there is none.
    joined: float = 0.0
    left: float = 0.0
    is_gone: bool = False
    # Since when pages that may come back have not been told all, by their sessions, and whether they surely were until
    # they left.
    away: dict[str, tuple[float, bool]] = field(default_factory=dict)
    # The last writes, for a page that holds the notebook as it was before one.
    written: deque[Written] = field(default_factory=lambda: deque(maxlen=WRITTEN_MAX))
    changed: set[str] = field(default_factory=set)
    # That a page has come or gone.
    news: asyncio.Event = field(default_factory=asyncio.Event)
    looking: asyncio.Task[None] | None = None
    writing: asyncio.Task[None] | None = None

    @property
    def path(self) -> str | None:
        return self.place.path if self.place else None


class Recorder:
    """Of one server.

    Args:
        path_of: Finds the path of a kernel's notebook, as Jupyter's sessions know it; None where it has none.
        warn: Takes lines for the log.
        tell: Is told of each run that ends, and the path of its notebook.
    """

    def __init__(
        self,
        notebooks: Notebooks,
        store: Store,
        path_of: Callable[[str], Awaitable[str | None]],
        warn: Callable[[str], None],
        tell: Callable[[str, Run, str | None], None] = lambda kernel_id, run, path: None,
    ) -> None:
        self.notebooks, self.store, self.path_of, self.warn, self.tell = notebooks, store, path_of, warn, tell
        self.kernels: dict[str, Followed] = {}
        self.told: set[str] = set()
        self.storing: asyncio.Task[None] | None = None
        self.store_lock = asyncio.Lock()

    # What the server tells of its kernels and pages.

    def follow(self, kernel_id: str) -> Followed:
        known = self.kernels.get(kernel_id)
        if not known:
            known = self.kernels[kernel_id] = Followed(Recording())
            known.recording.tell = partial(self._ended, kernel_id, known)
        return known

    @fails_open
    def ask(self, kernel_id: str, header: Mapping[str, Any], rest: Callable[[], list[dict[str, Any]]]) -> None:
        """A page asks for an execution.

        Args:
            rest: Unpacks the message's metadata and content.
        """
        kernel = self.follow(kernel_id)
        metadata, content = rest()
        kernel.recording.ask(header, metadata, content, time.time())
        asyncio.ensure_future(self._locate(kernel_id, kernel))  # noqa: RUF006  # nobody waits for it

    @fails_open
    def take(
        self,
        kernel_id: str,
        header: Mapping[str, Any],
        parent: Mapping[str, Any],
        content: Callable[[], tuple[Any, int]],
    ) -> None:
        """The kernel says something."""
        kernel = self.kernels.get(kernel_id)
        if kernel and (changed := kernel.recording.take(header, parent, content, time.time())):
            kernel.changed |= {run.id for run in changed}
            self._store_soon()

    @fails_open
    def answer(self, kernel_id: str) -> None:
        """A person has answered what the kernel asked for."""
        self.follow(kernel_id).recording.answered()

    @fails_open
    def join(self, kernel_id: str, session: str, hears_all: bool, replaces: bool = False) -> None:
        """A page connects.

        Args:
            hears_all: Whether what the kernel said since its last connection is said to it now.
            replaces: Whether it has noticed before the server that its last connection is dead.
        """
        kernel = self.follow(kernel_id)
        if not kernel.pages:
            kernel.joined = time.time()
        kernel.pages += 1
        kernel.news.set()
        away = (time.time() - LOST_SECONDS, False) if replaces else kernel.away.pop(session, None)
        if away and not (hears_all and away[1]):
            written = (run for each in kernel.written for run in each.runs)
            for run in (*kernel.recording.runs.values(), *written):
                run.is_missed |= run.session == session and (run.ended is None or run.ended >= away[0])

    @fails_open
    def leave(self, kernel_id: str, session: str, cleanly: bool, was_told: bool = True) -> None:
        """A page is gone.

        Args:
            cleanly: Whether it said so itself.
            was_told: Whether all that was said to it has arrived, since its connection was ended and not broken off.
        """
        if (kernel := self.kernels.get(kernel_id)) and kernel.pages:
            kernel.pages -= 1
            if len(kernel.away) < AWAY_MAX:
                kernel.away[session] = time.time() - (0 if was_told else LOST_SECONDS), was_told
            if not kernel.pages:
                kernel.left, kernel.patience = time.time(), LEFT_SECONDS if cleanly else CUT_SECONDS
                kernel.news.set()
                self._look_soon(kernel_id, kernel)

    @fails_open
    def end(self, kernel_id: str, reason: str) -> None:
        """The kernel has died or is started anew; what runs, and what waits, is over."""
        if kernel := self.kernels.get(kernel_id):
            kernel.recording.end(reason, time.time())
            self._store_soon()

    @fails_open
    def lose(self, kernel_id: str, reason: str = "") -> None:
        """The kernel is gone for good."""
        if kernel := self.kernels.get(kernel_id):
            self.end(kernel_id, reason)
            kernel.is_gone = True
            self._write_soon(kernel_id, kernel)

    async def runs_of(self, kernel_id: str, known: str = "") -> tuple[list[Run], Written | None]:
        """What a page of the kernel's notebook has to show: all that isn't in the notebook yet, or wasn't in its own.

        Args:
            known: The hash of the notebook that the page holds.

        Returns:
            The runs, oldest first, and the last write since, if there was one.
        """
        same = self._of_notebook(await self.path_of(kernel_id))
        if (own := self.kernels.get(kernel_id)) and own not in same:
            same.append(own)
        for kernel in same:
            await self._set_apart(kernel)
            await self._drop_held(kernel)
        written = [each for kernel in same for each in since(kernel.written, known)]
        runs = [
            run for kernel in same for each in (kernel.recording.runs, kernel.recording.stale) for run in each.values()
        ]
        runs += [run for each in written for run in each.runs]
        return sorted(runs, key=lambda run: run.asked), next(reversed(written), None)

    @property
    def has_work(self) -> bool:
        """Whether a notebook lacks anything yet."""
        return any(kernel.recording.runs for kernel in self.kernels.values())

    @fails_open
    def resume(self) -> None:
        """Takes up what an earlier server had not brought into its notebooks."""
        for stored in self.store.read():
            kernel = self.follow(f"earlier:{stored.path}")
            kernel.place, kernel.is_gone = Place(stored.path), True
            kernel.recording.runs[stored.run.id] = stored.run
        for kernel_id, kernel in self.kernels.items():
            kernel.recording.end(KILLED, time.time())
            # A page that was open then may still save it.
            was_left = all(run.before for run in kernel.recording.runs.values())
            kernel.left, kernel.patience = time.time(), 0 if was_left else CUT_SECONDS
            self._write_soon(kernel_id, kernel)

    async def stop(self) -> None:
        """The server ends, and all kernels with it: what has no page goes into its notebook, the rest is kept."""
        writes = []
        for kernel_id, kernel in list(self.kernels.items()):
            kernel.recording.end(STOPPED, time.time())
            if not self._has_page(kernel) and kernel.patience <= LEFT_SECONDS:
                writes.append(self._write(kernel_id, kernel))
        await asyncio.wait([asyncio.ensure_future(asyncio.gather(*writes))], timeout=STOP_SECONDS)
        await self._store()

    # What follows from it.

    def _ended(self, kernel_id: str, kernel: Followed, run: Run) -> None:
        kernel.changed |= {run.id, *kernel.recording.bring_back(time.time())}
        self.tell(kernel_id, run, kernel.path)
        self._write_soon(kernel_id, kernel)

    async def _locate(self, kernel_id: str, kernel: Followed) -> None:
        path = await self.path_of(kernel_id)
        if path and kernel.path != path:
            kernel.place = Place(path)
        await self._supersede(kernel)

    async def _supersede(self, kernel: Followed) -> None:
        """A cell that is run again, by another kernel of its notebook, has one record: the last."""
        asked = {run.cell: run.asked for run in kernel.recording.runs.values()}
        for other in self._of_notebook(kernel.path):
            if other is not kernel:
                known = other.recording.known()
                old = [run for run in known if run.state == "ended" and run.asked < asked.get(run.cell, 0)]
                await self._forget(other, old)

    def _of_notebook(self, path: str | None) -> list[Followed]:
        """The kernels of one notebook: another may have come after the first."""
        return [kernel for kernel in self.kernels.values() if path and kernel.path == path]

    async def _drop_held(self, kernel: Followed) -> None:
        """Forgets what the notebook holds, or was saved without by a page."""
        ended = [run for run in kernel.recording.ended() if run.before is None]
        if kernel.place and ended:
            path = kernel.place.path
            held = await self._in_time(partial(self.notebooks.held, path, ended, kernel.joined), path) or []
            kernel.recording.keep_shown(held)
            await self._forget_stored(kernel, held)

    async def _set_apart(self, kernel: Followed) -> None:
        """A page comes, to which everything is left but what has no cell any more."""
        runs = [run for run in kernel.recording.runs.values() if run.before is not None]
        if kernel.place and runs:
            path, ended = kernel.place.path, [run for run in runs if run.ended]
            apart = partial(self.notebooks.set_apart, path, ended, datetime.now())
            refused, lines = await self._in_time(apart, path, writes=True) or ([], [])
            self._say(lines)
            await self._forget(kernel, refused)
        for run in kernel.recording.known():
            run.before = None

    async def _forget(self, kernel: Followed, runs: Iterable[Run]) -> None:
        kernel.recording.forget(runs)
        await self._forget_stored(kernel, runs)

    async def _forget_stored(self, kernel: Followed, runs: Iterable[Run]) -> None:
        for run in runs:
            kernel.changed.discard(run.id)
            await self._in_time(partial(self.store.forget, run.id), str(self.store.folder))

    def _look_soon(self, kernel_id: str, kernel: Followed) -> None:
        if kernel.recording.known() and not goes_on(kernel.looking):
            kernel.looking = asyncio.ensure_future(self._look(kernel_id, kernel))

    async def _look(self, kernel_id: str, kernel: Followed) -> None:
        await asyncio.sleep(LOOK_SECONDS)
        await self._locate(kernel_id, kernel)
        if kernel.place and not kernel.pages:
            path = kernel.place.path
            runs = [run for run in kernel.recording.runs.values() if run.before is None or not run.ended]
            shown = [run for run in kernel.recording.known() if run not in kernel.recording.runs.values()]
            if found := await self._in_time(partial(self.notebooks.look, path, runs, kernel.joined, shown), path):
                kernel.place, held, cells = found
                for run in (*runs, *shown):
                    run.before = cells.get(run.id, GONE)
                await self._put_aside(kernel, held, cells)
                kernel.recording.forget(run for run in shown if run.id not in cells)
                kernel.changed |= {run.id for run in runs if run not in held}
                self._store_soon()
        if kernel.recording.ended():
            self._write_soon(kernel_id, kernel)

    def _write_soon(self, kernel_id: str, kernel: Followed) -> None:
        if not goes_on(kernel.writing):
            kernel.writing = asyncio.ensure_future(self._write_in_turn(kernel_id, kernel))

    async def _write_in_turn(self, kernel_id: str, kernel: Followed) -> None:
        """Waits for pages to come back, then for the next run to end."""
        while kernel.recording.ended():
            kernel.news.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(
                    kernel.news.wait(), max(ENDED_SECONDS, kernel.left + kernel.patience - time.time())
                )
                continue
            if kernel.looking:
                await asyncio.wait([kernel.looking])
            if self._has_page(kernel):
                await asyncio.sleep(AGAIN_SECONDS)
                await self._drop_held(kernel)
            elif time.time() >= kernel.left + kernel.patience and not await self._write(kernel_id, kernel):
                await asyncio.sleep(AGAIN_SECONDS)
        if kernel.is_gone and not kernel.recording.runs:
            self.kernels.pop(kernel_id, None)

    def _has_page(self, kernel: Followed) -> bool:
        """Whether the same notebook is open with this kernel, or with the one that came after it."""
        return any(each.pages for each in (kernel, *self._of_notebook(kernel.path)))

    async def _write(self, kernel_id: str, kernel: Followed) -> bool:
        """Brings what has ended into the notebook; returns whether nothing of it is left."""
        runs = kernel.recording.ended()
        if not kernel.place:
            await self._locate(kernel_id, kernel)
        if not (runs and kernel.place):
            return not runs
        await self._drop_held(kernel)
        runs = kernel.recording.ended()
        write = partial(self.notebooks.write, kernel.place, runs, datetime.now())
        written = await self._in_time(write, kernel.place.path, writes=True)
        if written is None:
            return False
        self._say(written.lines)
        if written.path:
            kernel.place = Place(written.path, kernel.place.inode)
            kernel.written.append(written)
        for run in runs:
            run.before = written.shown.get(run.id)
        await self._put_aside(kernel, runs, written.shown)
        return True

    async def _put_aside(self, kernel: Followed, saved: list[Run], shown: Iterable[str]) -> None:
        """What the notebook holds is forgotten, but for what a later cell may change of it."""
        kernel.recording.keep_shown(run for run in saved if run.id in shown)
        kernel.recording.forget(run for run in saved if run.id not in shown)
        await self._forget_stored(kernel, saved)

    def _say(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.warn(line)

    def _store_soon(self) -> None:
        if not goes_on(self.storing):
            self.storing = asyncio.ensure_future(self._store_in_turn())

    async def _store_in_turn(self) -> None:
        pause = STORE_SECONDS
        while any(kernel.changed for kernel in self.kernels.values()):
            await asyncio.sleep(pause)
            begin = time.monotonic()
            await self._store()
            # A long record is written the more rarely.
            pause = max(STORE_SECONDS, 20 * (time.monotonic() - begin))

    async def _store(self) -> None:
        # One after another, so that a stop waits for what is being written.
        async with self.store_lock:
            for kernel in list(self.kernels.values()):
                changed, kernel.changed, path = kernel.changed, set(), kernel.path or ""
                for run in filter(None, map(kernel.recording.runs.get, changed if path else ())):
                    write = partial(self.store.write, path, run.as_json(), run.for_later())
                    if not await self._in_time(write, str(self.store.folder)):
                        kernel.changed.add(run.id)
                    if run.id not in kernel.recording.runs:
                        # Forgotten while it was written: its file may be newer than that.
                        await self._forget_stored(kernel, [run])

    async def _in_time(self, function: Callable[[], Any], path: str, writes: bool = False) -> Any:
        """What a function returns that may have to wait for a disk; None after a failure, which is told once."""
        where = path if path.startswith("/") else str(Path(self.notebooks.contents.root_dir) / path)
        try:
            return await Errands.of_the_server().run(function, [where], writes)
        except Exception as error:  # whatever it is, kernels run on
            why = f"{type(error).__name__}: {error}"
            self.warn_once(f"What cells put out can't be kept in {where!r} just now. Kernels run on. ({why})")
            return None

    def warn_once(self, text: str) -> None:
        if text not in self.told and len(self.told) < TOLD_MAX:
            self.told.add(text)
            self.warn(text)


def goes_on(task: asyncio.Task[None] | None) -> bool:
    return task is not None and not task.done()


def since(written: Iterable[Written], known: str) -> list[Written]:
    """The writes that followed upon a notebook as somebody holds it."""
    followed: list[Written] = []
    for each in written:
        if each.before == (followed[-1].after if followed else known) and each.after != each.before:
            followed.append(each)
    return followed


def unpacked(part: Any) -> tuple[Any, int]:
    """A part of a message, and its size in bytes; raises ValueError for what a page could not read either."""
    content = bytes(part)
    return json.loads(content, parse_constant=_refuse), len(content)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")
