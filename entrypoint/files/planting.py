"""Puts files, folders and links below a folder, one by one and through no link, however deep they lie."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from entrypoint.files.walk import FOLDER


class Planting:
    """A folder that is being filled."""

    def __init__(self, root: Path) -> None:
        self._root = os.open(root, FOLDER)
        # The folder that the last one went to, since the next most often goes there or below it.
        self._last, self._descriptor = "", os.dup(self._root)

    def close(self) -> None:
        os.close(self._descriptor)
        os.close(self._root)

    def folder(self, path: str, mode: int) -> None:
        descriptor = self._enter(path)
        os.fchmod(descriptor, mode)

    def link(self, path: str, target: str) -> None:
        folder, _, name = path.rpartition("/")
        os.symlink(target, name, dir_fd=self._enter(folder))

    @contextmanager
    def file(self, path: str, mode: int, mtime: float) -> Iterator[IO[bytes]]:
        """A new file, open to be written to."""
        folder, _, name = path.rpartition("/")
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with open(os.open(name, flags, stat.S_IRUSR | stat.S_IWUSR, dir_fd=self._enter(folder)), "wb") as file:
            yield file
            file.flush()
            os.fchmod(file.fileno(), mode)
            # Some file systems take no year 300,000.
            with suppress(OverflowError, ValueError, OSError):
                os.utime(file.fileno(), (mtime, mtime))

    def _enter(self, path: str) -> int:
        """The descriptor of a folder, which is made where there is none, good until the next call."""
        if path != self._last:
            self._go_to(path)
        return self._descriptor

    def _go_to(self, path: str) -> None:
        is_below = bool(self._last) and path.startswith(f"{self._last}/")
        descriptor = os.dup(self._descriptor if is_below else self._root)
        try:
            for name in filter(None, path.removeprefix(self._last if is_below else "").split("/")):
                with suppress(FileExistsError):
                    os.mkdir(name, 0o700, dir_fd=descriptor)
                above, descriptor = descriptor, os.open(name, FOLDER, dir_fd=descriptor)
                os.close(above)
        except OSError:
            os.close(descriptor)
            raise
        os.close(self._descriptor)
        self._last, self._descriptor = path, descriptor
