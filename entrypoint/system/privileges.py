"""How root becomes the person, for good: what people's code can write to, only they themselves may touch."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ROOT = 0
LAST_CAPABILITY = "/proc/sys/kernel/cap_last_cap"
PR_CAPBSET_DROP = 24  # prctl(2)
CAPABILITY_VERSION_3 = 0x20080522  # capset(2)


def become(uid: int, gid: int) -> None:
    """Leaves this process the rights of a user alone; a process that isn't root's stays as it is.

    Groups before the user, since afterwards nothing can be changed. Those that Compose gives are the person's too.
    """
    if os.getuid() != ROOT:
        return
    if uid == ROOT:  # of a user namespace, who is the person
        empty_capabilities()
        return
    os.setgroups([group for group in os.getgroups() if group != ROOT])
    os.setgid(gid)
    # With which every capability goes (capabilities(7)).
    os.setuid(uid)


def become_for_good(uid: int, gid: int) -> None:
    """The same, for a process that becomes other programs: none of them can bring a capability back."""
    # Root without the rights to become somebody else must not go on as root: that fails.
    if os.getuid() == ROOT and (uid != ROOT or _has_capabilities()):
        _empty_bounding_set()
        become(uid, gid)
        empty_capabilities()


def become_owner(folder: str | os.PathLike[str]) -> None:
    """Becomes whoever a start has given the folder to."""
    status = os.stat(folder)
    become(status.st_uid, status.st_gid)


@contextmanager
def as_owner(path: str | os.PathLike[str]) -> Iterator[None]:
    """Reads for a moment as whoever a file belongs to, which root without capabilities can't do itself."""
    uid = os.lstat(path).st_uid
    if os.getuid() != ROOT:
        yield
        return
    os.seteuid(uid)
    try:
        yield
    finally:
        os.seteuid(ROOT)


def _has_capabilities() -> bool:
    """Root of a user namespace that has become the person already has none."""
    with open("/proc/self/status") as file:
        return any(line.startswith("CapEff:") and int(line.split()[1], 16) for line in file)


def _empty_bounding_set() -> None:
    with open(LAST_CAPABILITY) as file:
        last = int(file.read())
    for capability in range(last + 1):
        if _libc().prctl(PR_CAPBSET_DROP, capability, 0, 0, 0):
            raise OSError("prctl failed: the start needs SETPCAP, which docker-compose.yml gives it")


def empty_capabilities() -> None:
    # The version, this process, then the sets.
    header, none = struct.pack("Ii", CAPABILITY_VERSION_3, 0), bytes(24)
    if _libc().capset(header, none):
        raise OSError("capset failed")


def _libc() -> Any:
    import ctypes  # slow, and a health check does without

    return ctypes.CDLL(None)
