"""Whom the server runs as: the owner of the repositories folder, so that new files belong to the person."""

from __future__ import annotations

import contextlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.files.private import Owner
from entrypoint.files.public import write_public
from entrypoint.system.privileges import ROOT, become_for_good

# Whoever is the first person on nearly every Linux machine.
FALLBACK = Owner(1000, 1000)
NAME = "workhorse"
# What a clone of Workhorse puts into the folder itself.
OWN_FILES = {"README.md"}
# The number that stands for all users whom a user namespace has none for (user_namespaces(7)).
OVERFLOW_UID = Path("/proc/sys/kernel/overflowuid")


@dataclass(frozen=True)
class Identity:
    """The user and group of the server, and what the start may and should do for them."""

    user: Owner
    may_switch: bool
    adopts_folder: bool = False

    @property
    def switches(self) -> bool:
        """Whether the start runs as another user than the server; root of a user namespace stays itself."""
        return self.may_switch and self.user.uid != ROOT

    def become_person(self) -> None:
        """Leaves this process, and whatever it becomes, the rights of the person alone."""
        become_for_good(self.user.uid, self.user.gid)


def is_user_namespace(uid_map: str) -> bool:
    """Whether uid 0 is somebody else outside: rootless Docker and Podman, or remapped users.

    Args:
        uid_map: The text of /proc/self/uid_map: first uid inside, first uid outside, count (user_namespaces(7)).
    """
    return uid_map.split() != ["0", "0", "4294967295"]


def is_somebody_else_s(status: os.stat_result, uid_map: str) -> bool:
    """Whether a file belongs to a user whom a user namespace has no number for, and who can't be followed there."""
    return is_user_namespace(uid_map) and status.st_uid == int(OVERFLOW_UID.read_text())


def find_identity(process: Owner, folder: Path, state: Path, uid_map: str) -> Identity:
    """Decides whom the server runs as.

    Args:
        process: User and group that the container was started as.
        folder: The bind mount whose owner counts.
        state: The volume that belongs to whom the server ran as before, and to root before the first start.
        uid_map: See `is_user_namespace`.
    """
    if process.uid != ROOT:
        return Identity(process, may_switch=False)
    status = folder.stat()
    if status.st_uid != ROOT and not is_somebody_else_s(status, uid_map):
        return Identity(Owner(status.st_uid, status.st_gid), may_switch=True)
    if is_user_namespace(uid_map):
        return Identity(Owner(ROOT, ROOT), may_switch=True)
    # A folder of root's where there was a person's is one whose disk isn't mounted: it is left as it is.
    before = state.stat()
    if before.st_uid != ROOT:
        return Identity(Owner(before.st_uid, before.st_gid), may_switch=True)
    is_as_cloned = {entry.name for entry in os.scandir(folder)} <= OWN_FILES
    return Identity(FALLBACK, may_switch=True, adopts_folder=is_as_cloned)


def current_identity(places: Places) -> Identity:
    """The same, asked of this process and this container."""
    process, uid_map = Owner(os.getuid(), os.getgid()), Path("/proc/self/uid_map").read_text()
    return find_identity(process, places.repositories, places.state, uid_map)


def account_lines(user: Owner, home: Path, passwd: str, group: str) -> tuple[str, str]:
    """The account files with a line for the server's user, so that whoami, git and ssh know its name.

    Args:
        passwd: The image's own passwd(5) lines.
        group: The image's own group(5) lines.
    """
    # Ours come first, since the first line of a number gives it its name; root keeps its own behind them.
    passwd_line = f"{NAME}:x:{user.uid}:{user.gid}:Workhorse:{home}:/bin/bash\n"
    group_line = f"{NAME}:x:{user.gid}:\n"
    return passwd_line + passwd, group_line + group


def write_accounts(user: Owner, home: Path, folder: Path) -> None:
    """Writes passwd and group to the folder that /etc points to."""
    texts = account_lines(user, home, Path("/etc/passwd.image").read_text(), Path("/etc/group.image").read_text())
    # Started as a user and without memory for this folder, there is only a name that is missing.
    with contextlib.suppress(PermissionError):
        for name, text in zip(("passwd", "group"), texts, strict=True):
            write_public(folder / name, text.encode())


def reason_not_writable(folder: Path, user: Owner, host_folder: str) -> str | None:
    """Why this process, which is the person's, can't save into a folder, with what mends it; None if it can."""
    # The kernel itself knows of access lists and network file systems.
    if os.access(folder, os.W_OK | os.X_OK):
        return None
    if os.statvfs(folder).f_flag & os.ST_RDONLY:
        return f"The notebooks' folder {host_folder} is mounted read-only: nothing can be saved.\n  Mount it writable."
    status = folder.stat()
    if status.st_uid == user.uid and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        return (
            f"Nothing can be saved: the mode of {host_folder} ({status.st_mode & 0o7777:04o}) keeps out its own owner."
            f"\n  On the host: chmod u+rwx '{host_folder}'"
        )
    if user.uid == ROOT:  # of a user namespace, whose numbers mean nothing on the host
        return (
            f"Nothing can be saved: on the host, {host_folder} belongs to another user than the one who runs Docker.\n"
            f"  On the host, as that one: sudo chown -R $(id -u):$(id -g) '{host_folder}' && docker compose restart"
        )
    whose = "root" if status.st_uid == ROOT else f"user {status.st_uid}, group {status.st_gid}"
    return (
        f"Nothing can be saved: on the host, {host_folder} belongs to {whose} (mode {status.st_mode & 0o7777:04o}), "
        f"and the server runs as user {user.uid}.\n"
        f"  To give user {user.uid} the folder and all that is in it, on the host:\n"
        f"  sudo chown -R {user.uid}:{user.gid} '{host_folder}' && docker compose restart"
    )
