"""Downloads of people's files: each look at the disk beside the event loop."""

from __future__ import annotations

import os
from functools import partial
from io import FileIO
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import AuthenticatedFileHandler
from tornado.iostream import StreamClosedError
from tornado.web import authenticated

from entrypoint.files.regular import open_regular
from entrypoint.jupyter.errands import Errands

CHUNK_BYTES = 256 * 1024


class Download(AuthenticatedFileHandler):
    """Tornado's and Jupyter's own, for which the file is looked at and opened before, and read after the header."""

    found: str | None = None
    part: tuple[int, int] | None = None

    @authenticated
    @authorized
    async def get(self, path: str, include_body: bool = True) -> None:
        self.path = self.parse_url_path(path)
        absolute = self.get_absolute_path(self.root, self.path)
        with await self._beside(absolute, partial(self._open, absolute)) as self.file:
            await super().get(path, include_body=include_body)
            if self.part:
                await self._send(absolute, *self.part)

    async def _beside(self, path: str, function: Any) -> Any:
        return await Errands.of_the_server().run(function, [path])

    def _open(self, absolute: str) -> FileIO:
        self.found = super().validate_absolute_path(self.root, absolute)
        file = FileIO(str(self.found), opener=open_regular)
        self._stat_result = os.fstat(file.fileno())
        return file

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        return self.found

    def get_content(self, abspath: str, start: int | None = None, end: int | None = None) -> bytes:
        """Nothing yet: tornado would read it in the event loop."""
        size = self.get_content_size()
        self.part = (start or 0, size if end is None else end)
        return b""

    async def _send(self, absolute: str, start: int, end: int) -> None:
        while start < end:
            look = partial(os.pread, self.file.fileno(), min(CHUNK_BYTES, end - start), start)
            chunk = await self._beside(absolute, look)
            if not chunk:
                # It has shrunk: the connection is closed, so that nobody takes it for whole.
                return
            self.write(chunk)
            try:
                await self.flush()
            except StreamClosedError:
                return
            start += len(chunk)
