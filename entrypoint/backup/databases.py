"""Copies of SQLite databases as of one moment, whatever their programs do meanwhile."""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
import time
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from entrypoint.files.confined import Tell, confined

# https://www.sqlite.org/fileformat.html, section 1.3
MAGIC = b"SQLite format 3\0"
# What SQLite keeps beside a database, and merges into a copy.
SIDE_FILES = ("-journal", "-shm", "-wal")
# For a whole backup: a program that keeps its databases locked for ever can't hold it up for longer.
WAIT_SECONDS = 300.0
LEAST_WAIT_SECONDS = 1.0
# Opening hangs where a pipe stands in the place of a journal.
SILENCE_SECONDS = 60.0
STEP_PAGES = 1024
# Of a program that writes without a pause, the gaps are shorter than SQLite's own steps of 100 ms.
RETRY_SECONDS = 0.002


@dataclass
class Copier:
    """Copies databases into a folder that lies on a disk, since what lies in memory is the kernels' loss."""

    scratch: Path
    wait_seconds: float = WAIT_SECONDS

    def copy(self, source: int, size: int) -> IO[bytes]:
        """A copy that has no name.

        Args:
            source: The descriptor of the database's file.

        Raises:
            OSError: Why there is none.
        """
        most = shutil.disk_usage(self.scratch).free // 2
        if size > most:
            raise OSError(f"it is larger than half of the free space in {self.scratch}")
        descriptor, name = tempfile.mkstemp(prefix=".workhorse-backup-", dir=self.scratch)
        with ExitStack() as stack:
            file = stack.enter_context(open(descriptor, "rb"))
            try:
                self._fill(source, descriptor, name, most)
            finally:
                with suppress(FileNotFoundError):
                    os.unlink(name)
            stack.pop_all()
        return file

    def _fill(self, source: int, target: int, name: str, most: int) -> None:
        wait, began = max(self.wait_seconds, LEAST_WAIT_SECONDS), time.monotonic()

        def work(tell: Tell) -> bytes:
            return str(_fill(source, target, name, wait, tell)).encode()

        try:
            # A process of its own also keeps SQLite's locks, which end when any descriptor of the file is closed.
            waited = float(confined(work, SILENCE_SECONDS, most))
        except OSError:
            waited = time.monotonic() - began
            raise
        finally:
            self.wait_seconds -= waited


def _fill(source: int, target: int, name: str, wait_seconds: float, tell: Tell) -> float:
    """Fills a copy; returns for how long it waited for the database."""
    with closing(sqlite3.connect(name)) as copy:
        # From here on the copy has no name, so that even a backup that is killed leaves none behind.
        os.unlink(name)
        # SQLite would look for a journal by the name.
        copy.execute("PRAGMA journal_mode=OFF")
        copy.execute("PRAGMA synchronous=OFF")
        with closing(_open(Path(os.readlink(f"/proc/self/fd/{source}")))) as database:
            waited = _hold(database, wait_seconds, tell)
            if not (_has_opened(source) and _has_opened(target)):
                raise OSError("something else was put into its place")
            database.backup(copy, pages=STEP_PAGES, progress=lambda *_: tell())
    return waited


def _open(path: Path) -> sqlite3.Connection:
    # Where there is a write-ahead log, another program has the database open or crashed with it: only looking on
    # changes nothing. Where there is none, only a connection that may write removes the log that it makes.
    mode = "ro" if path.with_name(f"{path.name}-wal").exists() else "rw"
    return sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=0, isolation_level=None)


def _hold(database: sqlite3.Connection, wait_seconds: float, tell: Tell) -> float:
    """Begins to read, after which nobody changes what is read until the end; returns for how long that took.

    Raises:
        TimeoutError: Another program has kept it locked.
    """
    began = time.monotonic()
    database.execute("BEGIN")
    while True:
        waited = time.monotonic() - began
        try:
            # The first that reads; it understands nothing of the database, whose schema may be a trap too.
            database.execute("PRAGMA schema_version").fetchone()
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise
            if waited > wait_seconds:
                raise TimeoutError(f"another program kept it locked for {wait_seconds:.0f} seconds") from error
            tell()
            time.sleep(RETRY_SECONDS)
        else:
            return waited


def _has_opened(descriptor: int) -> bool:
    """Whether SQLite, which opens by name, has opened the very file of a descriptor."""
    wanted, count = os.fstat(descriptor), 0
    for number in os.listdir("/proc/self/fd"):
        with suppress(OSError):
            count += os.path.samestat(wanted, os.fstat(int(number)))
    return count > 1
