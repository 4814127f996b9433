"""The content of files that others may be writing to: of a length known beforehand, and databases of one moment."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

# https://www.sqlite.org/fileformat.html, section 1.3
SQLITE_MAGIC = b"SQLite format 3\0"
# What SQLite keeps beside a database, and merges into a copy.
SIDE_FILES = ("-journal", "-shm", "-wal")
SQLITE_WAIT_SECONDS = 10.0


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
def open_snapshot(path: Path) -> Iterator[Snapshot]:
    """Opens a regular file.

    Raises:
        OSError: It is gone, can't be read, or is no regular file any more.
    """
    # Without O_NONBLOCK, a pipe put into the file's place would hold everything up.
    with open(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb", buffering=0) as file:
        status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode):
            raise FileNotFoundError(f"{path} is no regular file any more")
        is_database = os.pread(file.fileno(), len(SQLITE_MAGIC), 0) == SQLITE_MAGIC
        snapshot = Snapshot(file, status, status.st_size)
        if not is_database:
            yield snapshot
            return
        with tempfile.NamedTemporaryFile(prefix="workhorse-backup-") as copy:
            if reason := _reason_not_copied(path, Path(copy.name), status.st_size):
                snapshot.changed = f"copied as it lay, not as a database: {reason}"
                yield snapshot
            else:
                yield Snapshot(copy, status, Path(copy.name).stat().st_size, is_database=True)


def _reason_not_copied(path: Path, copy: Path, size: int) -> str | None:
    """Copies a database by SQLite's online backup; says why that can't be done, or None."""
    # The copy may lie in memory, which kernels need too.
    if size > shutil.disk_usage(copy.parent).free // 2:
        return "it is larger than half of the free space in /tmp"
    deadline = time.monotonic() + SQLITE_WAIT_SECONDS

    def give_up(status: int, remaining: int, total: int) -> None:
        # Connection.backup itself waits for a locked database for ever.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise TimeoutError("another program keeps it locked")

    try:
        with closing(_open_database(path)) as database, closing(sqlite3.connect(copy)) as target:
            target.execute("PRAGMA synchronous=OFF")
            target.execute("PRAGMA journal_mode=OFF")
            database.backup(target, progress=give_up)
    except (sqlite3.Error, TimeoutError) as error:
        return str(error)
    return None


def _open_database(path: Path) -> sqlite3.Connection:
    # Where there is a write-ahead log, another program has the database open or crashed with it: only looking on
    # changes nothing. Where there is none, only a connection that may write removes the log that it makes.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=SQLITE_WAIT_SECONDS)
