"""Notices that files have changed, without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def stamp(files: Sequence[Path]) -> tuple[tuple[int, int, int] | None, ...]:
    """What changes when one of the files is replaced or written to."""

    def of(file: Path) -> tuple[int, int, int] | None:
        try:
            status = file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    return tuple(map(of, files))
