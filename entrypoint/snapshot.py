"""The content of files that others may be writing to: of a length known beforehand, and databases of one moment."""

from __future__ import annotations

import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
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
def open_snapshot(path: Path, scratch: Path) -> Iterator[Snapshot]:
    """Opens a regular file.

    Args:
        scratch: The folder for a database's copy: on a disk, since what lies in memory is the kernels' loss.

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
        try:
            copy = _copy_database(path, scratch, status.st_size)
        except (sqlite3.Error, OSError) as error:
            snapshot.changed = f"copied as it lay, not as a database: {error}"
            yield snapshot
            return
        with copy:
            yield Snapshot(copy, status, os.fstat(copy.fileno()).st_size, is_database=True)


def _copy_database(path: Path, scratch: Path, size: int) -> IO[bytes]:
    """A copy by SQLite's online backup.

    Raises:
        sqlite3.Error, OSError: Why there is none.
    """
    if size > shutil.disk_usage(scratch).free // 2:
        raise OSError(f"it is larger than half of the free space in {scratch}")
    descriptor, name = tempfile.mkstemp(prefix=".workhorse-backup-", dir=scratch)
    with ExitStack() as stack:
        file = stack.enter_context(open(descriptor, "rb"))
        try:
            target = sqlite3.connect(name)
        finally:
            # From here on the copy has no name, so that even a backup that is killed leaves none behind.
            os.unlink(name)
        with closing(target):
            _fill(target, path)
        stack.pop_all()
    return file


def _fill(target: sqlite3.Connection, path: Path) -> None:
    deadline = time.monotonic() + SQLITE_WAIT_SECONDS

    def give_up(status: int, remaining: int, total: int) -> None:
        # Connection.backup itself waits for a locked database for ever.
        if status in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED) and time.monotonic() > deadline:
            raise TimeoutError("another program keeps it locked")

    # SQLite would look for a journal by the name.
    target.execute("PRAGMA journal_mode=OFF")
    target.execute("PRAGMA synchronous=OFF")
    with closing(_open_database(path)) as database:
        database.backup(target, progress=give_up)


def _open_database(path: Path) -> sqlite3.Connection:
    # Where there is a write-ahead log, another program has the database open or crashed with it: only looking on
    # changes nothing. Where there is none, only a connection that may write removes the log that it makes.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=SQLITE_WAIT_SECONDS)
