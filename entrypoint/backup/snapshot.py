"""The content of files that others may be writing to: of a length known beforehand, and databases of one moment."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO

from entrypoint.backup.databases import MAGIC, Copier


@dataclass
class Snapshot:
    """A file opened for reading exactly `size` bytes; `changed` says afterwards what went wrong on the way."""

    file: IO[bytes]
    status: os.stat_result
    size: int
    is_database: bool = False
    changed: str | None = None

    def read(self, size: int) -> bytes:
        """As many bytes as asked for, whatever happens to the file: an archive has already promised its length."""
        try:
            data = self.file.read(size)
        except OSError as error:
            data, self.changed = b"", f"could not be read to its end: {error.strerror}"
        if len(data) < size:
            self.changed = self.changed or "shrank while it was read; zeros fill it up"
        return data.ljust(size, b"\0")


@contextmanager
def open_snapshot(name: str, folder: int, copier: Copier) -> Iterator[Snapshot]:
    """Opens a regular file.

    Args:
        folder: The descriptor of the folder that it lies in.

    Raises:
        OSError: It is gone, can't be read, or is no regular file any more.
    """
    # Without O_NONBLOCK, a pipe put into the file's place would hold everything up.
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK
    with open(os.open(name, flags, dir_fd=folder), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(f"{name} is no regular file any more")
        snapshot = Snapshot(file, status, status.st_size)
        if not _is_database(file):
            yield snapshot
            return
        try:
            copy = copier.copy(file.fileno(), status.st_size)
        except OSError as error:
            snapshot.changed = f"copied as it lay, not as of one moment: {error}"
            yield snapshot
            return
        with copy:
            yield Snapshot(copy, status, os.fstat(copy.fileno()).st_size, is_database=True)


def _is_database(file: IO[bytes]) -> bool:
    try:
        return os.pread(file.fileno(), len(MAGIC), 0) == MAGIC
    except OSError:
        # The same will be said of its content.
        return False
