"""Writes and keeps files that nobody else may read: keys, hashes, the configuration."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.untrusted import read_untrusted


@dataclass(frozen=True)
class Owner:
    """The user and group that files are handed to, as numbers."""

    uid: int
    gid: int


def write_private(path: Path, content: bytes) -> None:
    """Replaces a file atomically: readable by its owner alone from the moment it exists, and durable.

    A folder in its place is set aside; all else that may stand there is replaced, and nothing is written through it.

    Raises:
        WorkhorseError: The volume can't be written to.
    """
    try:
        with opened_folder(path.parent) as folder:
            _replace(path, folder, content)
            os.fsync(folder)
    except OSError as error:
        raise unwritable(path, error) from error


def _replace(path: Path, folder: int, content: bytes) -> None:
    temporary = f".{path.name}.{secrets.token_hex(4)}"
    try:
        _write_durably(temporary, folder, content)
        try:
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
        except IsADirectoryError:
            set_aside(path)
            os.rename(temporary, path.name, src_dir_fd=folder, dst_dir_fd=folder)
    except BaseException:
        # A read-only disk refuses that too, even where there is nothing to delete.
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder)
        raise


def _write_durably(name: str, folder: int, content: bytes) -> None:
    descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
    with open(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


@contextlib.contextmanager
def opened_folder(folder: Path | str, parent: int | None = None) -> Iterator[int]:
    """A folder itself, and not what a link in its place leads to; its name may be that of an open folder's child."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=parent)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def read_private(path: Path) -> bytes | None:
    """The content of a file, closed to others on the way if it stood open; None where there is none.

    Raises:
        OSError: Something is there that is not a readable file of ours.
    """
    try:
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode) and stat.S_IMODE(mode) != 0o600:
            path.chmod(0o600)
        return read_untrusted(path)
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


def forget(path: Path) -> None:
    """Takes a file away; a folder in its place is set aside."""
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        return
    except IsADirectoryError:
        set_aside(path)
    except OSError as error:
        raise unwritable(path, error) from error


def replace_private(path: Path, content: bytes) -> Path | None:
    """Replaces a file as `write_private` does, and keeps the old one aside; at no moment is there none."""
    if path.is_symlink() or not path.is_file():
        aside = set_aside(path)
    else:
        aside = _name_aside(path)
        try:
            os.link(path, aside)
        except OSError as error:
            raise unwritable(path, error) from error
    write_private(path, content)
    return aside


def make_private_folder(path: Path) -> None:
    """Makes a folder that its owner alone may enter, or closes it; anything else at its place is set aside.

    Raises:
        WorkhorseError: It is another's, so that nothing can be kept there.
    """
    if path.is_symlink() or not path.is_dir():
        set_aside(path)
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.stat()
        if stat.S_IMODE(status.st_mode) != 0o700 and status.st_uid == os.geteuid():
            path.chmod(0o700)
    except OSError as error:
        raise unwritable(path, error) from error
    if not os.access(path, os.X_OK):
        raise unwritable(path, PermissionError(errno.EACCES, os.strerror(errno.EACCES)))


def unwritable(path: Path, error: OSError) -> WorkhorseError:
    remedy = {
        errno.ENOSPC: "Free some space on the disk that holds Docker's volumes: docker system df",
        errno.EROFS: "Mount the volume 'state' without read-only, as docker-compose.yml has it.",
        errno.ENOTDIR: "What stands in its folder's place is set aside by a start: docker compose restart workhorse",
    }.get(error.errno or 0, f"Let user {os.geteuid()} write there, or let the container start as root.")
    return WorkhorseError.of(f"{path} can't be written: {error.strerror}.", remedy)
