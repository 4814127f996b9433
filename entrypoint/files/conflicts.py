"""Files that were changed in two places at once: which names Syncthing gives to the second of them.

`fit.sync-conflict-20261129-101500-ABCDEFG.ipynb` stands beside `fit.ipynb`: day, time, and the device whose it is
(docs.syncthing.net/users/syncing, "Conflicting Changes"). Both are whole; a person decides which one stays.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

CONFLICT = re.compile(r"(?P<stem>.*)\.sync-conflict-\d{8}-\d{6}-(?P<device>[A-Z2-7]{7})(?P<ending>\.[^.]*)?", re.S)


def original_of(name: str) -> str | None:
    """The file that a conflict's copy stands beside; None for any other name."""
    found = CONFLICT.fullmatch(name)
    return f"{found['stem']}{found['ending'] or ''}" if found else None


def device_of(name: str) -> str | None:
    """The first letters of the device whose version a conflict's copy is."""
    found = CONFLICT.fullmatch(name)
    return found["device"] if found else None


def is_in_conflict(path: Path) -> bool:
    """Whether a file is a conflict's copy or has one beside it, so that nobody but a person should write into it.

    Raises:
        OSError: Its folder can't be listed.
    """
    if original_of(path.name):
        return True
    with os.scandir(path.parent) as entries:
        return any(original_of(entry.name) == path.name for entry in entries)
