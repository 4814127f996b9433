"""Temporary files: they lie on a disk, and what the last run left there goes at the next start."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
import threading
import time
from pathlib import Path

# A start waits no longer for a million files.
MOVING_SECONDS = 1.0
ASIDE = ".left-"
# Folders that nobody may write to keep their files otherwise. Neither program follows links.
DELETE = 'chmod -R u+rwx "$@"; rm -rf "$@"'


def clear(folder: Path, now: float, moving_seconds: float = MOVING_SECONDS) -> threading.Thread:
    """Moves what lies in a folder out of the way, and deletes it in the background, by the caller's own rights.

    Args:
        now: The time of the start, in seconds since the epoch; what is made later stays.

    Raises:
        OSError: Nothing can be written there.
    """
    aside = Path(tempfile.mkdtemp(prefix=ASIDE, dir=folder))
    is_done = _move(folder, aside, deadline=time.monotonic() + moving_seconds)

    def delete() -> None:
        if not is_done:
            _move(folder, aside, older_than=now)
        command = ["nice", "-n", "19", "sh", "-c", DELETE, "rm", str(aside)]
        with contextlib.suppress(OSError):
            subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)

    thread = threading.Thread(target=delete, daemon=True)
    thread.start()
    return thread


def _move(folder: Path, aside: Path, deadline: float | None = None, older_than: float | None = None) -> bool:
    """Whether it came to the end before the deadline. What is another's, as root's is, stays."""
    with os.scandir(folder) as entries:
        for entry in entries:
            if deadline is not None and time.monotonic() > deadline:
                return False
            with contextlib.suppress(OSError):
                is_old = older_than is None or entry.stat(follow_symlinks=False).st_ctime < older_than
                if entry.name != aside.name and is_old:
                    _move_one(entry, aside / entry.name)
    return True


def _move_one(entry: os.DirEntry[str], target: Path) -> None:
    try:
        os.rename(entry.path, target)
    except PermissionError:
        # A folder that can't be written to can't change its parent either.
        if not entry.is_dir(follow_symlinks=False):
            raise
        os.chmod(entry.path, 0o700)
        os.rename(entry.path, target)
