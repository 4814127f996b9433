"""What can be said of the notebooks' folder: found in the kernels' server, which sees it, and told at the door too."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from entrypoint.files.errors import Problem
from entrypoint.files.private import Owner
from entrypoint.system.privileges import ROOT


@dataclass(frozen=True)
class Folder:
    """How it stands with the folder for the person as whom the kernels' server runs.

    Args:
        uid, gid, mode: Its owner, group and permissions (stat(2)).
        user, group: Of the kernels' server.
        is_gone: Whether it was deleted on the host, where the mount still shows what it was.
        is_another: Whether it is empty, and another one than was served last.
    """

    uid: int
    gid: int
    mode: int
    user: int
    group: int
    is_writable: bool
    is_read_only: bool
    is_gone: bool = False
    is_another: bool = False


def find_folder(folder: Path, user: Owner, is_another: bool = False) -> Folder:
    """As it is for this process, which is the person's."""
    status = folder.stat()
    return Folder(
        uid=status.st_uid,
        gid=status.st_gid,
        mode=stat.S_IMODE(status.st_mode),
        user=user.uid,
        group=user.gid,
        # The kernel itself knows of access lists and network file systems.
        is_writable=os.access(folder, os.W_OK | os.X_OK),
        is_read_only=bool(os.statvfs(folder).f_flag & os.ST_RDONLY),
        is_gone=status.st_nlink == 0,
        is_another=is_another,
    )


def is_empty(folder: Path) -> bool:
    """As far as this process may look."""
    try:
        with os.scandir(folder) as entries:
            return not any(entries)
    except PermissionError:
        return False


def reason_not_writable(folder: Path, user: Owner, host_folder: str) -> str | None:
    """Why this process, which is the person's, can't save into a folder, with what mends it; None if it can."""
    return reason_nothing_is_saved(find_folder(folder, user), host_folder)


def reason_nothing_is_saved(found: Folder, host_folder: str) -> str | None:
    """The same for what was found before.

    Args:
        host_folder: What the folder is called on the host.
    """
    restart = "docker compose restart lab kernels"
    if found.is_gone:
        return (
            f"Nothing can be saved: the notebooks' folder {host_folder} is gone on the host.\n"
            f"  Make it again there, then: {restart}"
        )
    if found.is_writable:
        return None
    if found.is_read_only:
        return f"The notebooks' folder {host_folder} is mounted read-only: nothing can be saved.\n  Mount it writable."
    if found.uid == found.user and found.mode & stat.S_IRWXU != stat.S_IRWXU:
        return (
            f"Nothing can be saved: the mode of {host_folder} ({found.mode:04o}) keeps out its own owner."
            f"\n  On the host: chmod u+rwx '{host_folder}'"
        )
    if found.user == ROOT:  # of a user namespace, whose numbers mean nothing on the host
        return (
            f"Nothing can be saved: on the host, {host_folder} belongs to another user than the one who runs Docker.\n"
            f"  On the host, as that one: sudo chown -R $(id -u):$(id -g) '{host_folder}' && {restart}"
        )
    whose = "root" if found.uid == ROOT else f"user {found.uid}, group {found.gid}"
    return (
        f"Nothing can be saved: on the host, {host_folder} belongs to {whose} (mode {found.mode:04o}), "
        f"and the server runs as user {found.user}.\n"
        f"  To give user {found.user} the folder and all that is in it, on the host:\n"
        f"  sudo chown -R {found.user}:{found.group} '{host_folder}' && {restart}"
    )


def another_folder(host_folder: str) -> Problem:
    return Problem(
        f"The notebooks' folder {host_folder} is empty, and another one than was served last.",
        "If its disk wasn't mounted yet, mount it, then: docker compose restart lab kernels",
    )
