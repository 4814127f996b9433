"""Deleted things: kept for 30 days in a folder that file browsers, terminals and the host see alike."""

from __future__ import annotations

import errno
import os
import re
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from entrypoint.jupyter.errands import MOUNTS, all_mounted, mount_points

NAME = "Trash"
DAYS = 30
DAY = "%Y-%m-%d"
IS_DAY = re.compile(r"\d{4}-\d\d-\d\d")
# Without it a folder is a person's own, whatever it is called, and stays.
MARK = ".put-here-when-deleted"
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def is_in_trash(root: Path, path: Path) -> bool:
    """Whether there is nowhere further to put it."""
    return path.relative_to(top_of(root, path)).parts[:1] == (NAME,)


def put_into_trash(root: Path, path: Path, now: datetime) -> Path:
    """Moves a file or a folder, whatever is in it, to where it can be had back from; returns where that is.

    Args:
        root: The folder that the server shows.

    Raises:
        OSError: It stays where it is, and why.
    """
    top = top_of(root, path)
    day = top / NAME / now.strftime(DAY)
    (top / NAME).mkdir(exist_ok=True)
    day.mkdir(exist_ok=True)
    (day / MARK).touch()
    is_folder = path.is_dir() and not path.is_symlink()
    target = _reserved(_kept_by_its_way(day, path.relative_to(top)), is_folder, now)
    try:
        path.rename(target)
    except OSError:
        with suppress(OSError):
            target.rmdir() if is_folder else target.unlink()
        raise
    return target


def top_of(root: Path, path: Path) -> Path:
    """Of the disk that a path is on, the uppermost folder that the server shows: only there nothing is copied."""
    (mounted,) = mount_points([str(path.parent)])
    return max(root, Path(mounted), key=lambda each: len(each.parts)) if path.is_relative_to(mounted) else root


def _kept_by_its_way(day: Path, below: Path) -> Path:
    """Where it lay is seen from where it lies, unless something is in the way that was deleted before."""
    try:
        (day / below).parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        return day / below.name
    return day / below


def _reserved(path: Path, is_folder: bool, now: datetime) -> Path:
    """A name that nothing else has, with something empty under it, which a rename replaces."""
    stem = f"{path.stem} ({now:%H.%M.%S}"
    for name in (path.name, f"{stem}){path.suffix}", *(f"{stem} {number}){path.suffix}" for number in range(2, 1000))):
        found = path.with_name(name)
        with suppress(FileExistsError):
            found.mkdir() if is_folder else found.touch(exist_ok=False)
            return found
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))


def empty_trash(root: Path, now: datetime) -> None:
    """Deletes for good what was put there more than 30 days ago, as far as it can be."""
    oldest = (now - timedelta(days=DAYS)).strftime(DAY)
    for trash in (top / NAME for top in tops(root)):
        for day in _days(trash):
            if day.name < oldest:
                shutil.rmtree(day, ignore_errors=True)
        # If there is nothing in it any more.
        with suppress(OSError):
            trash.rmdir()


def tops(root: Path, mounts: Path = MOUNTS) -> list[Path]:
    """The folder that the server shows, and what is mounted within it."""
    return [root, *(place for place in map(Path, all_mounted(mounts)) if root in place.parents)]


def _days(trash: Path) -> Iterator[Path]:
    """The folders that deleted things were put into; none behind a link."""
    with suppress(OSError):
        if not stat.S_ISDIR(trash.lstat().st_mode):
            return
        for day in sorted(trash.iterdir()):
            if IS_DAY.fullmatch(day.name) and stat.S_ISDIR(day.lstat().st_mode) and (day / MARK).is_file():
                yield day


def delete_for_good(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def count_files(path: Path, at_most: int) -> tuple[int, int]:
    """How many files lie in a folder, and how many bytes they hold, as far as that is counted; links are files."""
    files = size = 0
    ahead = [path]
    while ahead and files < at_most:
        # What can't be read is not counted.
        with suppress(OSError), os.scandir(ahead.pop()) as entries:
            for entry in entries:
                if entry.is_dir(follow_symlinks=False):
                    ahead.append(Path(entry.path))
                else:
                    files += 1
                    size += entry.stat(follow_symlinks=False).st_size
    return files, size
