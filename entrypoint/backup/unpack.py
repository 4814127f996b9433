"""Reads an archive that anybody may have made, and trusts nothing that it says."""

from __future__ import annotations

import gzip
import json
import stat
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from entrypoint.backup.archive import END, ENVIRONMENTS, FORMAT, MANIFEST, STATE
from entrypoint.backup.confines import judge_name, judge_target
from entrypoint.backup.members import CHUNK_BYTES, ArchiveError, Member, Members
from entrypoint.files.planting import Planting
from entrypoint.files.untrusted import shown

# The names of 50,000 files that were left out. Made to do so, it would take forty times as much as read JSON.
JSON_BYTES_MAX = 1 << 22

# What reading a damaged or hostile stream may raise, and unpacking it.
DAMAGE = (
    ArchiveError, EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, ValueError, TypeError, LookupError,
    OverflowError, RecursionError, FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError,
)  # fmt: skip

# Takes a member with its path in its volume, and reads its content.
Take = Callable[[Member, str, Members], None]


class NewerFormatError(Exception):
    """The archive is a later Workhorse's; the text says whose."""


@contextmanager
def telling_damage() -> Iterator[None]:
    """One kind of error for everything that is wrong with an archive.

    Raises:
        ArchiveError: Its text is fit to be shown.
    """
    try:
        yield
    except DAMAGE as error:
        raise ArchiveError(shown(str(error) or type(error).__name__)) from error


def read_manifest(members: Members) -> dict[str, Any]:
    """What an archive begins with.

    Raises:
        NewerFormatError: See there.
        ArchiveError, ...: See `DAMAGE`.
    """
    first = members.next()
    if first is None or first.name != MANIFEST:
        raise ArchiveError(f"it doesn't start with {MANIFEST}")
    manifest = read_json(members, first)
    number = manifest["format"]
    if type(number) is not int or number < 1:
        raise ArchiveError(f"{MANIFEST} is not as it should be")
    if number > FORMAT:
        raise NewerFormatError(
            f"This backup was made by Workhorse {told(manifest, 'workhorse')}, in format {shown(str(number))}; "
            f"this Workhorse reads formats up to {FORMAT}."
        )
    return manifest


def told(manifest: Mapping[str, Any], name: str) -> str:
    """What a manifest says under a name, for a terminal."""
    text = manifest.get(name)
    return shown(text) if isinstance(text, str) else "(not told)"


def read_json(members: Members, member: Member) -> dict[str, Any]:
    content = json.loads(read_whole(members, member, JSON_BYTES_MAX))
    if not isinstance(content, dict):
        raise ArchiveError(f"{member.name} is not as it should be")
    return content


def read_whole(members: Members, member: Member, most: int) -> bytes:
    if not member.is_file or member.size > most:
        raise ArchiveError(f"{member.name} is not as it should be")
    return members.read(member.size)


def read_members(members: Members, takers: Mapping[str, Take]) -> int:
    """Gives each member to whom its volume names, up to the archive's end; returns how many files there were.

    Raises:
        ArchiveError, ...: See `DAMAGE`.
    """
    files = 0
    while member := members.next():
        if member.name == END:
            if read_json(members, member)["files"] != files or members.next():
                raise ArchiveError("it holds other files than it says")
            return files
        volume, path = judge_name(member.name)
        if volume not in takers:
            raise ArchiveError(f"{member.name!r} is no place in a volume")
        takers[volume](member, path, members)
        files += is_counted(member)
    raise ArchiveError("its end is missing")


def is_counted(member: Member) -> bool:
    """Whether an archive's end counts a member: a file of a volume."""
    return member.is_file and judge_name(member.name)[0] != ENVIRONMENTS


class Unpacking(Planting):
    """A folder that a volume's part is unpacked into."""

    def __init__(self, root: Path, volume: str) -> None:
        super().__init__(root)
        # The state is nobody else's, whatever the archive says.
        self._modes = 0o700 if volume == STATE else 0o755

    def take(self, member: Member, path: str, members: Members) -> None:
        # What its owner may read and write in any case.
        mode = member.mode & self._modes | stat.S_IRUSR | stat.S_IWUSR
        if member.is_file:
            with self.file(path, mode, member.mtime) as file:
                while data := members.read(CHUNK_BYTES):
                    file.write(data)
        elif member.kind == tarfile.DIRTYPE:
            self.folder(path, mode | stat.S_IXUSR)
        else:
            self.link(path, judge_target(member))
