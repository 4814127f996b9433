"""What the door asks for a backup and a restore: the home's part goes out, and comes in, as a stream.

The work is done by processes of their own, which can be traps' victims without the server, and leave its event loop
alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.iostream import StreamClosedError
from tornado.web import HTTPError, stream_request_body

from entrypoint.files import lock
from entrypoint.home.restore import READY, REFUSED
from entrypoint.jupyter.streams import Stream

BODY_BYTES_MAX = 10**18
ANSWER_BYTES_MAX = 64 * 1024
PATIENCE_SECONDS = 20.0
PYTHON = (sys.executable, "-I")
STATUS = {None: 200, "used": 409, "running": 409, "restoring": 409, "damaged": 422, "unwritable": 507}


@dataclass
class Home:
    """The home as the handlers share it.

    Args:
        end: Ends the server, for Docker to start it anew on a home that has changed below it.
        python: The command that runs a module.
    """

    path: Path
    end: Callable[[], object]
    python: Sequence[str] = PYTHON
    # The last restore that was begun.
    restoring: asyncio.Future[None] | None = None

    async def start(self, module: str, *options: str, stdin: int = DEVNULL) -> Process:
        command = (*self.python, "-m", module, str(self.path), *options)
        return await asyncio.create_subprocess_exec(*command, stdin=stdin, stdout=PIPE, limit=ANSWER_BYTES_MAX)


def carry_home(web_app: Any, path: Path, end: Callable[[], object], python: Sequence[str] = PYTHON) -> None:
    """Adds both addresses, for a server that only the door can reach: they ask nobody for a login."""
    home = {"home": Home(path, end, python)}
    handlers = [("/workhorse/backup", BackupHandler, home), ("/workhorse/restore", RestoreHandler, home)]
    web_app.add_handlers(".*", handlers)


class DoorHandler(Stream):
    """Asked by the door itself, which passes no browser on to here."""

    def initialize(self, home: Home) -> None:
        self.home = home

    def check_xsrf_cookie(self) -> None:
        pass


class BackupHandler(DoorHandler):
    """Whether the stream is whole, its own end says."""

    async def get(self) -> None:
        self.set_header("Content-Type", "application/x-tar")
        # The head at once, and the rest when the survey of the home is done.
        await self.flush()
        await self.send(await self.home.start("entrypoint.home.backup"))


@stream_request_body
class RestoreHandler(DoorHandler):
    """Refuses before a stream, or passes it on to who unpacks it; a stream that is cut leaves the home as it was."""

    async def prepare(self) -> None:
        if self.request.method != "POST":
            raise HTTPError(405)
        self.request.connection.set_max_body_size(BODY_BYTES_MAX)
        if self.home.restoring:
            # One that was cut may still be clearing up.
            await asyncio.wait([self.home.restoring], timeout=PATIENCE_SECONDS)
        if refusal := self._refusal():
            await self._answer(refusal)
            return
        started: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        # From here on, and not only once the child runs, no other may begin.
        self.home.restoring = asyncio.ensure_future(self._run(started))
        await started
        if self.has_gone:
            self.leave()
        if (line := await self._line()) != READY:
            await self._answer(_parsed(line))

    async def _run(self, started: asyncio.Future[None]) -> None:
        """Starts the child, and looks after it to its end, whoever has gone meanwhile."""
        options = ["--replace"] if self.get_query_argument("replace", "") else []
        try:
            child = await self.home.start("entrypoint.home.restore", *options, stdin=PIPE)
        except Exception as error:
            started.set_exception(error)
            return
        self.child = child
        started.set_result(None)
        await self._wait(child)

    def _refusal(self) -> dict[str, Any] | None:
        kernels, terminals = self.settings.get("kernel_manager"), self.settings.get("terminal_manager")
        running = {
            "kernels": len(kernels.list_kernel_ids()) if kernels else 0,
            "terminals": len(terminals.list()) if terminals else 0,
        }
        if any(running.values()):
            return {"reason": "running", **running}
        is_restoring = self.home.restoring and not self.home.restoring.done()
        return {"reason": "restoring"} if is_restoring else None

    async def _wait(self, child: Process) -> None:
        status = await child.wait()
        if status not in (0, REFUSED) and (self.home.path / lock.HALF_RESTORED).exists():
            # It was killed in the midst of its moves, with which the next start goes on.
            self.home.end()
        self._end_untold()

    def _end_untold(self) -> None:
        """Ends a server whose home is another, though nobody is there to be told so."""
        if self.has_gone and self.child and self.child.returncode == 0:
            self.home.end()

    async def data_received(self, chunk: bytes) -> None:
        if not (self.child and self.child.stdin) or self._finished:
            return
        try:
            self.child.stdin.write(chunk)
            await self.child.stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            # It has ended, with a reason.
            await self._answer(_parsed(await self._line()))

    async def post(self) -> None:
        if self._finished:
            return
        self.leave()
        await self._answer(_parsed(await self._line()))

    def leave(self) -> None:
        self._end_untold()
        # For the child, the archive is cut then.
        if self.child and self.child.stdin:
            self.child.stdin.close()

    async def _line(self) -> bytes:
        return await self.child.stdout.readline() if self.child and self.child.stdout else b""

    async def _answer(self, answer: dict[str, Any]) -> None:
        reason = answer.get("reason")
        self.set_status(STATUS.get(reason, 500))
        with contextlib.suppress(StreamClosedError):
            await self.finish(answer)
        if not reason:
            # What runs here has the home of before in memory.
            self.home.end()


def _parsed(line: bytes) -> dict[str, Any]:
    return dict(json.loads(line)) if line else {"reason": "ended"}
