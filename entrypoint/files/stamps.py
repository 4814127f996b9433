"""Notices that files have changed, without reading them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

Stamp = tuple[tuple[int, int, int] | None, ...]


def stamp(files: Sequence[Path]) -> Stamp:
    """What changes when one of the files is replaced, written to, or opened to another user."""

    def of(file: Path) -> tuple[int, int, int] | None:
        try:
            status = file.stat()
        except OSError:
            return None
        return status.st_ino, status.st_ctime_ns, status.st_size

    return tuple(map(of, files))


def read_stamp(json: Any) -> Stamp | None:
    """A stamp that was written as JSON, which knows no tuples."""
    return None if json is None else tuple(None if each is None else tuple(each) for each in json)
