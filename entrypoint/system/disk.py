"""How full a disk is."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from entrypoint.system.memory import in_gib


@dataclass(frozen=True)
class Disk:
    """In bytes; `free` is what a person may still write."""

    free: int
    size: int

    def __str__(self) -> str:
        return f"{in_gib(self.free)} free of {in_gib(self.size)}"


def find_disk(path: Path) -> Disk:
    """The one that a path lies on.

    Raises:
        OSError: It can't be told.
    """
    found = os.statvfs(path)
    return Disk(found.f_bavail * found.f_frsize, found.f_blocks * found.f_frsize)
