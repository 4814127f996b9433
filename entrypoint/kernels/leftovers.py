"""Temporary files: they lie on a disk, and what the last run left there goes at the next start."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from pathlib import Path

ASIDE = ".left-"
# Folders that nobody may write to keep their files otherwise. Neither program follows links.
DELETE = 'chmod -R u+rwx "$@"; rm -rf "$@"'
NICENESS = 19


def clear_beside(folder: Path, now: float) -> None:
    """Clears it in a process of its own, for which no start waits, and which the container's first process reaps."""
    if os.fork() == 0:
        try:
            os.nice(NICENESS)
            clear(folder, now)
        finally:
            os._exit(0)


def clear(folder: Path, now: float) -> None:
    """Moves what lies in a folder out of the way, and deletes it, by the caller's own rights.

    Args:
        now: The time of the start, in seconds since the epoch; what is made later stays.
    """
    # Run by itself, the image may have no such folder to write to.
    with contextlib.suppress(OSError):
        aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=folder))
        _move(folder, aside, now)
        command = ["sh", "-c", DELETE, "rm", str(aside)]
        subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)


def _move(folder: Path, aside: Path, older_than: float) -> None:
    """What is another's, as root's is, stays."""
    with os.scandir(folder) as entries:
        for entry in entries:
            with contextlib.suppress(OSError):
                if entry.name != aside.name and entry.stat(follow_symlinks=False).st_ctime < older_than:
                    _move_one(entry, aside / entry.name)


def _move_one(entry: os.DirEntry[str], target: Path) -> None:
    try:
        os.rename(entry.path, target)
    except PermissionError:
        # A folder that can't be written to can't change its parent either.
        if not entry.is_dir(follow_symlinks=False):
            raise
        os.chmod(entry.path, 0o700)
        os.rename(entry.path, target)
