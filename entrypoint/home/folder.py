"""Which folder was served last, kept in the person's home: an empty one in its place is told, and nothing is done."""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from entrypoint.files.errors import Problem, WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.public import write_public
from entrypoint.files.untrusted import read_untrusted
from entrypoint.system.folder import another_folder, is_empty

# Of paths on Linux (limits.h, PATH_MAX).
PATH_BYTES_MAX = 4096
# Directly in the home, which is no less new for it.
KEPT = ".workhorse-folder.json"


def tell_folder(places: Places, host_folder: str) -> list[Problem]:
    """Tells if the folder is another, empty one, and keeps which one it is, and what the host calls it.

    A folder that is missing its disk is not kept, so that it is told until the disk is there.
    """
    with contextlib.suppress(OSError):
        write_public(places.host_folder, os.fsencode(host_folder))
    if is_another(places):
        return [another_folder(host_folder)]
    _keep(places)
    return []


def host_folder_of(places: Places) -> str:
    """What the host calls the folder, as the start was told."""
    try:
        return os.fsdecode(read_untrusted(places.host_folder, PATH_BYTES_MAX)) or str(places.repositories)
    except OSError:
        return str(places.repositories)


def is_another(places: Places) -> bool:
    """Whether the folder is empty, and another one than was served last, which wasn't."""
    before = _read(kept_in(places))
    if before is None:
        return False
    status = places.repositories.stat()
    return (status.st_dev, status.st_ino) != before and is_empty(places.repositories)


def kept_in(places: Places) -> Path:
    return places.home / KEPT


def _keep(places: Places) -> None:
    """Only of a folder that holds something: nobody misses what was in an empty one."""
    status, file = places.repositories.stat(), kept_in(places)
    # Whatever a notebook has put in the way, or a full disk: this is a courtesy, and holds no start up.
    with contextlib.suppress(OSError, WorkhorseError):
        if is_empty(places.repositories):
            file.unlink(missing_ok=True)
        else:
            write_private(file, json.dumps({"device": status.st_dev, "inode": status.st_ino}).encode())


def _read(path: Path) -> tuple[int, int] | None:
    """The device and the inode; None where they aren't known."""
    try:
        kept = json.loads(read_untrusted(path))
        return int(kept["device"]), int(kept["inode"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError, OverflowError):
        return None
