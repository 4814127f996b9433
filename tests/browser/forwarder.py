"""What stands between a browser and a server, and can be away for a while: as a door that is being made anew."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator

from tests.stacks import free_port

CHUNK_BYTES = 64 * 1024


class Forwarder:
    """Passes on bytes from a port of its own to another; while it is away, that port is closed."""

    def __init__(self, target: int, loop: asyncio.AbstractEventLoop) -> None:
        self.target, self.loop = target, loop
        self.port = free_port()
        self._listening: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._is_open = False
        # Whether what the server says goes nowhere, while its connections stand.
        self.is_dead = False

    def open(self) -> None:
        asyncio.run_coroutine_threadsafe(self._open(), self.loop).result()

    def close(self) -> None:
        """Cuts every connection, and refuses new ones."""
        asyncio.run_coroutine_threadsafe(self._close(), self.loop).result()

    async def _open(self) -> None:
        self._is_open = True
        self._listening = await asyncio.start_server(self._forward, "localhost", self.port)

    async def _close(self) -> None:
        self._is_open = False
        if self._listening:
            self._listening.close()
        for writer in self._writers:
            writer.transport.abort()
        await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        both = {writer}
        try:
            from_server, to_server = await asyncio.open_connection("localhost", self.target)
            both.add(to_server)
            # One that came while all were cut is cut too.
            if self._is_open:
                self._writers |= both
                await asyncio.gather(self._pump(reader, to_server), self._pump(from_server, writer))
        except OSError:
            return
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()
                with contextlib.suppress(OSError):
                    await each.wait_closed()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(CHUNK_BYTES):
                if not self.is_dead:
                    writer.write(data)
                    await writer.drain()
        writer.close()


@contextlib.contextmanager
def forwarder(target: int) -> Iterator[Forwarder]:
    """One that is there already."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    forwarder = Forwarder(target, loop)
    forwarder.open()
    try:
        yield forwarder
    finally:
        forwarder.close()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
