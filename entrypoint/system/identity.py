"""Whom the servers run as: Jupyter's as the owner of the notebooks' folder, so that new files belong to the person."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.files.private import Owner
from entrypoint.files.public import write_public
from entrypoint.system.folder import is_empty
from entrypoint.system.privileges import ROOT, as_owner, become_for_good

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


def find_identity(process: Owner, folder: Path, home: Path, uid_map: str) -> Identity:
    """Decides whom the kernels' server runs as.

    Args:
        process: User and group that the container was started as.
        folder: The bind mount whose owner counts.
        home: The volume that belongs to whom the kernels' server ran as before, and to root before the first start.
        uid_map: See `is_user_namespace`.
    """
    if process.uid != ROOT:
        return Identity(process, may_switch=False)
    owner, before = _followed(folder, uid_map), _followed(home, uid_map)
    # A folder of root's, or an empty one of another's, where there was a person's is one whose disk isn't mounted: it
    # is left as it is.
    if before and owner and owner.uid != before.uid and _is_empty(folder):
        return Identity(before, may_switch=True)
    if owner:
        return Identity(owner, may_switch=True)
    if is_user_namespace(uid_map):
        return Identity(Owner(ROOT, ROOT), may_switch=True)
    if before:
        return Identity(before, may_switch=True)
    is_as_cloned = {entry.name for entry in os.scandir(folder)} <= OWN_FILES
    return Identity(FALLBACK, may_switch=True, adopts_folder=is_as_cloned)


def find_door_identity(process: Owner, state: Path, uid_map: str) -> Identity:
    """Decides whom the door runs as: whoever its volume belongs to, which no notebook can change.

    Args:
        process: User and group that the container was started as.
        state: The volume that belongs to whom the door ran as before, and to root before the first start.
        uid_map: See `is_user_namespace`.
    """
    if process.uid != ROOT:
        return Identity(process, may_switch=False)
    nobody_yet = Owner(ROOT, ROOT) if is_user_namespace(uid_map) else FALLBACK
    return Identity(_followed(state, uid_map) or nobody_yet, may_switch=True)


def _is_empty(folder: Path) -> bool:
    """To its owner, too, who may have closed it to everybody else: root has no right here to look past that."""
    with as_owner(folder):
        is_empty_to_owner = is_empty(folder)
    return is_empty_to_owner or is_empty(folder)


def _followed(folder: Path, uid_map: str) -> Owner | None:
    """The owner of a folder, unless that is root or somebody without a number here."""
    status = folder.stat()
    is_followed = status.st_uid != ROOT and not is_somebody_else_s(status, uid_map)
    return Owner(status.st_uid, status.st_gid) if is_followed else None


def person_identity(places: Places, volume: Path | None = None) -> Identity:
    """Whom the kernels' server runs as, asked of this process and this container.

    Args:
        volume: In the home's place, where there is none.
    """
    return find_identity(_process(), places.repositories, volume or places.home, _uid_map())


def door_identity(places: Places) -> Identity:
    """Whom the door runs as, asked of this process and this container."""
    return find_door_identity(_process(), places.state, _uid_map())


def _process() -> Owner:
    return Owner(os.getuid(), os.getgid())


def _uid_map() -> str:
    return Path("/proc/self/uid_map").read_text()


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
