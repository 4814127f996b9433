"""Where what an archive holds may lie, and in which order it has to come to be put there."""

from __future__ import annotations

import math
import os
import tarfile
from pathlib import PurePosixPath

from entrypoint.backup.archive import ENVIRONMENTS, HOME, STATE
from entrypoint.backup.contents import ASIDE, RESTORING
from entrypoint.backup.members import ArchiveError, Member
from entrypoint.files import lock
from entrypoint.files.walk import PATH_BYTES_MAX

NAME_BYTES_MAX = 255
# All lists together, which wait in memory for their folder: a list of 1,000 packages has 50 kB.
LISTS_BYTES_MAX = 1 << 24
LISTS = (".txt", ".yml")
TIME_MAX = 1 << 62


def judge_name(name: str) -> tuple[str, str]:
    """A member's volume and its path there.

    Raises:
        ArchiveError: It would lie elsewhere, or where no file can.
    """
    volume, *path = name.split("/")
    is_list = volume == ENVIRONMENTS and len(path) == 1
    if not (is_list or (volume in (STATE, HOME) and path)) or {"", ".", ".."} & set(path) or "\0" in name:
        raise ArchiveError(f"{name!r} is no place in a volume")
    sizes = [len(os.fsencode(part)) for part in path]
    if max(sizes) > NAME_BYTES_MAX or sum(sizes) + len(sizes) > PATH_BYTES_MAX + NAME_BYTES_MAX + 1:
        raise ArchiveError(f"{name} is too long a name")
    return volume, "/".join(path)


def judge_target(member: Member) -> str:
    """What a link leads to, which may be anything, since nobody follows it on the way.

    Raises:
        ArchiveError: There can be no such link.
    """
    if not 0 < len(os.fsencode(member.target)) < PATH_BYTES_MAX or "\0" in member.target:
        raise ArchiveError(f"{member.name} leads to too long a name, or to none")
    return member.target


class Lists:
    """How much the lists of environments take together."""

    def __init__(self) -> None:
        self._bytes = 0

    def admit(self, name: str, size: int) -> None:
        """Raises ArchiveError for what is no list, and for one too much.

        Args:
            name: In archives.
            size: In bytes.
        """
        # An empty one costs something too.
        self._bytes += 1024 + len(name) + size
        if self._bytes > LISTS_BYTES_MAX:
            raise ArchiveError("its lists of environments are too long")
        if judge_name(name)[0] != ENVIRONMENTS or PurePosixPath(name).suffix not in LISTS:
            raise ArchiveError(f"{name!r} is no list of an environment")


class HomePart:
    """Judges the members that are to be the home's part of an archive, in memory that their number doesn't change.

    Whoever sends them may send anything; in the archive it could make all of it unreadable, the state's part included.
    So they have to come as a walk of one folder comes: each once, a folder before what lies in it, and sorted.
    """

    def __init__(self) -> None:
        self._lists = Lists()
        self._listed: set[str] = set()
        self._last: tuple[str, ...] = ()
        # How many of the last path's parts are a folder.
        self._depth = 0

    def admit(self, member: Member) -> None:
        """Raises ArchiveError for what a restore would refuse, or put elsewhere than below the home."""
        volume, path = judge_name(member.name)
        if volume == ENVIRONMENTS:
            self._lists.admit(member.name, member.size)
            if not member.is_file or self._last or path in self._listed:
                raise ArchiveError(f"{member.name} comes too late, or again")
            self._listed.add(path)
        elif volume == HOME:
            self._follow(member, tuple(path.split("/")))
        else:
            raise ArchiveError(f"{member.name} doesn't lie in the home")
        if not math.isfinite(member.mtime) or abs(member.mtime) > TIME_MAX or member.size > TIME_MAX:
            raise ArchiveError(f"{member.name} has a time or size that no file has")

    def _follow(self, member: Member, path: tuple[str, ...]) -> None:
        above = path[:-1]
        if path[0] == lock.HALF_RESTORED or path[0].startswith((ASIDE, RESTORING)):
            raise ArchiveError(f"{member.name} is a restore's own name")
        if path <= self._last or len(above) > self._depth or above != self._last[: len(above)]:
            raise ArchiveError(f"{member.name} comes out of its order")
        if member.kind == tarfile.SYMTYPE:
            judge_target(member)
        self._last, self._depth = path, len(path) if member.kind == tarfile.DIRTYPE else len(above)
