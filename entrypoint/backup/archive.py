"""The archive of a backup: its format, and how it is written while others go on writing the files in it."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, cast

from entrypoint.backup.contents import LeaveOut, Volume
from entrypoint.backup.databases import SIDE_FILES, Copier
from entrypoint.backup.members import Member, Members
from entrypoint.backup.snapshot import open_snapshot
from entrypoint.files.walk import Entry

VERSION = "0.1.0"
# A restore refuses a higher number than its own: raise it for what an older one would misread.
FORMAT = 1
MANIFEST, END, ENVIRONMENTS = "workhorse-backup.json", "workhorse-backup-end.json", "environments"
STATE, HOME = "state", "home"
# A note with a name of PATH_MAX takes 25 kB at worst, and a restore reads 4 MiB of them.
NOTES_MAX = 100
KINDS = {stat.S_IFREG: tarfile.REGTYPE, stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE}
# On text twice as fast as level 6 (111 against 49 MB/s) and an eighth larger; tarfile's own level 9 does 12 MB/s.
COMPRESSION_LEVEL = 3


@dataclass
class Written:
    """What an archive came to, and what could not be read as it should, by name."""

    files: int = 0
    bytes: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    # Notes that there was no room for.
    more_notes: int = 0

    def note(self, name: str, text: str) -> None:
        if len(self.notes) < NOTES_MAX:
            self.notes[name] = text
        else:
            self.more_notes += 1


class Archive:
    """An archive that is being written; its parts come one after the other, and none of them is kept."""

    def __init__(self, tar: tarfile.TarFile, now: datetime) -> None:
        self._tar, self._now = tar, now
        self.written = Written()

    def begin(self, told: Mapping[str, object]) -> None:
        """The manifest, with what is told besides the format."""
        self.add_json(MANIFEST, {"format": FORMAT, **told})

    def end(self, **told: object) -> None:
        """Tells a whole archive from a cut one."""
        self.add_json(END, {"files": self.written.files, "notes": self.written.notes, **told})

    def add_json(self, name: str, content: Mapping[str, object]) -> None:
        self.add_text(name, json.dumps(content, indent=2) + "\n")

    def add_text(self, name: str, text: str) -> None:
        data = text.encode("utf-8", "backslashreplace")
        member = tarfile.TarInfo(name)
        member.size, member.mtime, member.mode = len(data), int(self._now.timestamp()), 0o600
        self._add(member, io.BytesIO(data))

    def add_volume(self, volume: Volume, copier: Copier, leave_out: LeaveOut = lambda *_: None) -> None:
        """All of a volume that belongs into a backup, as it lies there now.

        Args:
            leave_out: Is told what isn't admitted, where no survey has told it.
        """
        covered: set[str] = set()
        # A folder is told when it is known not to be in the archive.
        for name, entry in volume.entries(leave_out, lambda name, error: self.written.note(name, _loss(error))):
            if entry.path in covered:
                covered.discard(entry.path)
            elif self._add_entry(name, entry, copier):
                covered.update(entry.path + suffix for suffix in SIDE_FILES)

    def pass_on(self, member: Member, members: Members) -> None:
        """A member of another archive, made anew from what has been judged of it."""
        info = tarfile.TarInfo(member.name)
        info.type, info.linkname, info.size = member.kind, member.target, member.size
        info.mode, info.mtime = member.mode & 0o777, int(member.mtime)
        self._add(info, cast(BinaryIO, members))

    def _add(self, member: tarfile.TarInfo, content: BinaryIO | None = None) -> None:
        self._tar.addfile(member, content)
        # Or the library keeps a record of every file to the end.
        cast(Any, self._tar).members = []

    def _add_entry(self, name: str, entry: Entry, copier: Copier) -> bool:
        """Adds what lies at a place now; what has gone is no fault, what can't be read is noted. True for a database"""
        with ExitStack() as stack:
            mode = entry.status.st_mode
            try:
                open_file = open_snapshot(entry.name, entry.folder, copier) if stat.S_ISREG(mode) else None
                snapshot = stack.enter_context(open_file) if open_file else None
                target = os.readlink(entry.name, dir_fd=entry.folder) if stat.S_ISLNK(mode) else ""
            except OSError as error:
                if not isinstance(error, FileNotFoundError):
                    self.written.note(name, _loss(error))
                return False
            if not snapshot:
                self._add(_member(name, entry.status, target))
                return False
            member = _member(name, snapshot.status)
            member.size = snapshot.size
            self._add(member, cast(BinaryIO, snapshot))
        self.written.files += 1
        self.written.bytes += snapshot.size
        if snapshot.changed:
            self.written.note(name, snapshot.changed)
        return snapshot.is_database


class Outlet:
    """Counts what goes through, and writes all of it: a raw stream may take less at a time.

    It is closed when something goes wrong: libraries end what they write even then, and a part would look whole.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.bytes, self.is_closed = stream, 0, False

    def write(self, data: bytes) -> int:
        rest = memoryview(b"" if self.is_closed else data)
        self.bytes += len(rest)
        while rest:
            rest = rest[self.stream.write(rest) :]
        return len(data)


@contextmanager
def closed_on_failure(out: Outlet) -> Iterator[None]:
    try:
        yield
    except BaseException:
        out.is_closed = True
        raise


@contextmanager
def packing(stream: BinaryIO) -> Iterator[tuple[Outlet, BinaryIO]]:
    """Compresses what goes to a stream; also gives what tells its length there."""
    out = Outlet(stream)
    packed = gzip.GzipFile("", "wb", COMPRESSION_LEVEL, cast(BinaryIO, out), mtime=0)
    with closing(packed), closed_on_failure(out):
        yield out, cast(BinaryIO, packed)


@contextmanager
def writing(stream: BinaryIO, now: datetime) -> Iterator[Archive]:
    """An archive that goes to a stream.

    Raises:
        OSError: The stream takes no more.
    """
    out = Outlet(stream)
    with tarfile.open(fileobj=cast(BinaryIO, out), mode="w|", format=tarfile.PAX_FORMAT) as tar, closed_on_failure(out):
        yield Archive(tar, now)


def _loss(error: OSError) -> str:
    return f"left out: {error.strerror or error}"


def _member(name: str, status: os.stat_result, target: str = "") -> tarfile.TarInfo:
    """Without the owner, whose number means somebody else on another machine."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = KINDS[stat.S_IFMT(status.st_mode)], target
    member.mode, member.mtime = status.st_mode & 0o777, int(status.st_mtime)
    return member
