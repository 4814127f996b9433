"""Walks a folder that others change meanwhile: from open folder to open folder, so that no link leads out of it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
# PATH_MAX (limits.h): what lies deeper, no program reaches by its name. It also bounds how many folders are open.
PATH_BYTES_MAX = 4096


@dataclass(frozen=True)
class Entry:
    """Something in a folder, which stays open until the walk goes on."""

    folder: int
    name: str
    # From the top.
    path: str
    status: os.stat_result


@dataclass
class _Level:
    descriptor: int
    entries: Iterator[Entry]


Admit = Callable[[Entry], bool]
Lose = Callable[[str, OSError], None]


def walk(root: Path, admit: Admit, lose: Lose) -> Iterator[Entry]:
    """All that lies below a folder, a folder before what lies in it.

    Args:
        admit: Says whether an entry belongs to the walk; below a folder that doesn't, nothing is looked at.
        lose: Is told which folder can't be entered, and why; one that has gone meanwhile is no loss.
    """
    levels: list[_Level] = []
    try:
        _enter(levels, None, root, "", lose)
        while levels:
            entry = next(levels[-1].entries, None)
            if entry is None:
                os.close(levels.pop().descriptor)
            elif admit(entry):
                yield entry
                if stat.S_ISDIR(entry.status.st_mode):
                    _enter(levels, entry.folder, entry.name, entry.path, lose)
    finally:
        for level in levels:
            os.close(level.descriptor)


def _enter(levels: list[_Level], folder: int | None, name: str | Path, path: str, lose: Lose) -> None:
    descriptor = -1
    try:
        if len(os.fsencode(path)) >= PATH_BYTES_MAX:
            raise OSError(errno.ENAMETOOLONG, "what lies in it lies too deep")
        descriptor = os.open(name, FOLDER, dir_fd=folder)
        names = sorted(os.listdir(descriptor))
    except OSError as error:
        if descriptor >= 0:
            os.close(descriptor)
        if not isinstance(error, FileNotFoundError):
            lose(path, error)
        return
    levels.append(_Level(descriptor, _entries(descriptor, names, f"{path}/" if path else "")))


def _entries(descriptor: int, names: list[str], prefix: str) -> Iterator[Entry]:
    for name in names:
        try:
            status = os.lstat(name, dir_fd=descriptor)
        except OSError:
            # It has gone meanwhile, or its folder may be listed and not entered, which its files would tell.
            continue
        yield Entry(descriptor, name, prefix + name, status)
