"""Regular files alone: a pipe, a socket or a device in a file's place would be waited for without end."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from tornado.web import HTTPError

KINDS = {
    stat.S_IFDIR: "a folder", stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device", stat.S_IFBLK: "a device",
}  # fmt: skip


def reason_against(path: Path) -> str | None:
    """Why nothing can be read from or written to a path as a file; None where it is one, or nothing yet."""
    try:
        kind = KINDS.get(stat.S_IFMT(path.stat().st_mode))
    except FileNotFoundError:
        return None
    return kind and f"{path.name} is {kind}, not a file"


def refuse_irregular(path: Path) -> None:
    """Refuses what is no file.

    Raises:
        HTTPError: It is the request that is wrong.
    """
    if reason := reason_against(path):
        raise HTTPError(400, reason)


def open_regular(path: str, flags: int) -> int:
    """An opener that never waits, since what is looked at by its name may be another thing a moment later."""
    try:
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY, 0o666)
    except OSError:
        # A pipe that nobody reads and a socket can't be opened so, which sounds like a fault of the disk.
        refuse_irregular(Path(path))
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise HTTPError(400, f"{os.path.basename(path)} is not a file")
    return descriptor


def copy_regular(source: str, target: str) -> str:
    """For `shutil.copytree`, which collects what can't be copied."""
    if reason := reason_against(Path(source)):
        raise shutil.SpecialFileError(reason)
    return shutil.copy2(source, target)
