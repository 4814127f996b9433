"""Keeps a restore and a running server apart, and two who write one file: each locks the folder, which all share."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from entrypoint.files.errors import WorkhorseError

# Stands in the state for as long as a restore moves files, so that one that is killed leaves it.
HALF_RESTORED = ".half-restored"


def share(state: Path) -> int:
    """Says that the volumes are in use, until this process and whatever it becomes have ended.

    Returns:
        The descriptor that holds the lock.

    Raises:
        WorkhorseError: A restore is at work, or was killed half way.
    """
    descriptor = _lock(
        state,
        fcntl.LOCK_SH,
        WorkhorseError.of(
            "A backup is being restored into these volumes.", "Wait until it is done, then: docker compose up -d"
        ),
    )
    if os.path.lexists(state / HALF_RESTORED):
        os.close(descriptor)
        raise WorkhorseError.of(
            "A restore was killed half way: the volumes hold some of the backup and some of what was there before.",
            "Restore again: docker compose run --rm -T workhorse workhorse restore < workhorse-backup.tar.gz",
        )
    os.set_inheritable(descriptor, True)
    return descriptor


@contextmanager
def shared(state: Path) -> Iterator[None]:
    """The same for a while."""
    descriptor = share(state)
    try:
        yield
    finally:
        _unlock(descriptor)


@contextmanager
def claimed(state: Path) -> Iterator[None]:
    """Keeps servers and backups away from the volumes for a while.

    Raises:
        WorkhorseError: One of them is at work.
    """
    in_use = WorkhorseError.of(
        "The server is running, or a backup is being made: nothing was restored.",
        "Stop it first: docker compose stop workhorse",
    )
    descriptor = _lock(state, fcntl.LOCK_EX, in_use)
    try:
        yield
    finally:
        _unlock(descriptor)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Waits for its turn where one reads a file of a folder and writes it anew, and another may write it meanwhile."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        # As below.
        with suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        _unlock(descriptor)


def _lock(folder: Path, kind: int, refusal: WorkhorseError) -> int:
    """Locks the folder itself, so that there is no file that could be left behind, moved or deleted.

    The kernel ends a lock with its last holder, even a killed one.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise refusal from None
    except OSError:
        # Some network file systems lock no folders; there, a person has to know whether the server runs.
        pass
    return descriptor


def _unlock(descriptor: int) -> None:
    """At once, though a child that was forked meanwhile may hold the same descriptor until it becomes its program."""
    with suppress(OSError):
        fcntl.flock(descriptor, fcntl.LOCK_UN)
    os.close(descriptor)
