"""Writes and keeps files that nobody else may read: keys, hashes, the configuration."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from entrypoint.errors import WorkhorseError


@dataclass(frozen=True)
class Owner:
    """The user and group that files are handed to, as numbers."""

    uid: int
    gid: int


def write_private(path: Path, content: bytes, owner: Owner | None = None) -> None:
    """Replaces a file atomically: readable by its owner alone from the moment it exists, and durable.

    Args:
        owner: Who it is handed to; None where the process may not give files away.

    Raises:
        WorkhorseError: The volume can't be written to.
    """
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        _write_durably(temporary, content, owner)
        temporary.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        # A read-only disk refuses that too, even where there is nothing to delete.
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise unwritable(path, error) from error


def _write_durably(path: Path, content: bytes, owner: Owner | None) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with open(descriptor, "wb") as file:
        if owner:
            os.fchown(descriptor, owner.uid, owner.gid)
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_private(path: Path) -> bytes | None:
    """The content of a file, closed to others on the way if it stood open; None where there is none.

    Raises:
        OSError: Something is there that is not a readable file.
    """
    try:
        if stat.S_IMODE(path.lstat().st_mode) != 0o600 and path.is_file() and not path.is_symlink():
            path.chmod(0o600)
        return path.read_bytes()
    except FileNotFoundError:
        return None


def set_aside(path: Path) -> Path | None:
    """Moves whatever stands at a path out of the way, since nothing is deleted that nobody asked to delete."""
    # Where nobody may look, there is nothing to set aside either: what comes next fails with its reason.
    if not os.path.lexists(path):
        return None
    aside = _name_aside(path)
    try:
        path.rename(aside)
    except OSError as error:
        raise unwritable(path, error) from error
    return aside


def _name_aside(path: Path) -> Path:
    number = 1
    while os.path.lexists(aside := path.with_name(f"{path.name}.set-aside-{number}")):
        number += 1
    return aside


def replace_private(path: Path, content: bytes, owner: Owner | None = None) -> Path | None:
    """Replaces a file as `write_private` does, and keeps the old one aside; at no moment is there none."""
    if not path.is_file():
        aside = set_aside(path)
    else:
        aside = _name_aside(path)
        try:
            os.link(path, aside)
        except OSError as error:
            raise unwritable(path, error) from error
    write_private(path, content, owner)
    return aside


def make_private_folder(path: Path, owner: Owner | None = None) -> None:
    """Makes a folder that its owner alone may enter, or closes it; anything else at its place is set aside.

    Raises:
        WorkhorseError: It is another's, so that nothing can be kept there.
    """
    if path.is_symlink() or not path.is_dir():
        set_aside(path)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        if owner:
            os.chown(path, owner.uid, owner.gid, follow_symlinks=False)
        status = path.stat()
        if stat.S_IMODE(status.st_mode) != 0o700 and (owner or status.st_uid == os.geteuid()):
            path.chmod(0o700)
    except OSError as error:
        raise unwritable(path, error) from error
    if not os.access(path, os.X_OK):
        raise unwritable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def unwritable(path: Path, error: OSError) -> WorkhorseError:
    remedy = {
        errno.ENOSPC: "Free some space on the disk that holds Docker's volumes: docker system df",
        errno.EROFS: "Mount the volume 'state' without read-only, as docker-compose.yml has it.",
    }.get(error.errno or 0, f"Let user {os.geteuid()} write there, or let the container start as root.")
    return WorkhorseError.of(f"{path} can't be written: {error.strerror}.", remedy)
