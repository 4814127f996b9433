"""Answers that a child of the server writes: in constant memory, beside the event loop, and as long as anyone asks."""

from __future__ import annotations

import contextlib
from asyncio.subprocess import Process

from tornado.iostream import StreamClosedError
from tornado.web import RequestHandler

CHUNK_BYTES = 64 * 1024


class Stream(RequestHandler):
    """Such an answer, whose child ends with whoever has asked."""

    child: Process | None = None
    has_gone = False

    def on_connection_close(self) -> None:
        super().on_connection_close()
        self.has_gone = True
        self.leave()

    def leave(self) -> None:
        """What is to be done once nobody listens any more, perhaps before there is a child."""
        # It may be busy with a survey or a database, and notice nothing.
        if self.child:
            _kill(self.child)

    async def send(self, child: Process) -> bool:
        """Sends all that a child writes; says whether it came to a good end."""
        self.child = child
        if self.has_gone:
            self.leave()
        try:
            while child.stdout and (data := await child.stdout.read(CHUNK_BYTES)):
                self.write(data)
                await self.flush()
            await child.wait()
        except StreamClosedError:
            # Whoever asked has gone.
            pass
        finally:
            _kill(child)
            # With what it had written: a pipe that nobody reads is never seen to end.
            await child.communicate()
        return child.returncode == 0


def _kill(child: Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        child.kill()
