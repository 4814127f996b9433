"""The archive of a backup: its format, and how it is written while others go on writing the files in it."""

from __future__ import annotations

import gzip
import io
import json
import os
import stat
import tarfile
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, cast

from entrypoint.backup.contents import Contents
from entrypoint.backup.databases import SIDE_FILES, Copier
from entrypoint.backup.snapshot import open_snapshot
from entrypoint.files.walk import Entry

VERSION = "0.1.0"
# A restore refuses a higher number than its own: raise it for what an older one would misread.
FORMAT = 1
MANIFEST, END, ENVIRONMENTS = "workhorse-backup.json", "workhorse-backup-end.json", "environments"
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
    archive_bytes: int = 0
    notes: dict[str, str] = field(default_factory=dict)
    # Notes that there was no room for.
    more_notes: int = 0

    def note(self, name: str, text: str) -> None:
        if len(self.notes) < NOTES_MAX:
            self.notes[name] = text
        else:
            self.more_notes += 1


def write_archive(contents: Contents, stream: BinaryIO, now: datetime) -> Written:
    """Writes the manifest, the lists of environments, the files, and an end that tells a whole archive from a cut one.

    Raises:
        OSError: The stream takes no more.
    """
    written, counted = Written(notes=dict(contents.without_list)), _Counted(stream)
    manifest = {
        "format": FORMAT,
        "workhorse": VERSION,
        "date": now.isoformat(timespec="minutes"),
        "left_out": contents.left_out.listed(),
    }
    with (
        closing(gzip.GzipFile("", "wb", COMPRESSION_LEVEL, cast(BinaryIO, counted), mtime=0)) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        _add_text(tar, MANIFEST, json.dumps(manifest, indent=2) + "\n", now)
        for name, text in contents.environments.items():
            _add_text(tar, f"{ENVIRONMENTS}/{name}", text, now)
        _add_entries(tar, contents, written)
        _add_text(tar, END, json.dumps({"files": written.files, "notes": written.notes}, indent=2) + "\n", now)
    written.archive_bytes = counted.bytes
    return written


class _Counted:
    """Counts what goes through, and writes all of it: a raw stream may take less at a time."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.bytes = stream, 0

    def write(self, data: bytes) -> int:
        rest = memoryview(data)
        while rest:
            rest = rest[self.stream.write(rest) :]
        self.bytes += len(data)
        return len(data)


def _add_text(tar: tarfile.TarFile, name: str, text: str, now: datetime) -> None:
    data = text.encode("utf-8", "backslashreplace")
    member = tarfile.TarInfo(name)
    member.size, member.mtime, member.mode = len(data), int(now.timestamp()), 0o600
    tar.addfile(member, io.BytesIO(data))


def _add_entries(tar: tarfile.TarFile, contents: Contents, written: Written) -> None:
    copier = Copier(contents.scratch)
    for volume in contents.volumes:
        covered: set[str] = set()
        # What isn't admitted was told by the survey; a folder is told when it is known not to be in the archive.
        for name, entry in volume.entries(lambda *_: None, lambda name, error: written.note(name, _loss(error))):
            if entry.path in covered:
                covered.discard(entry.path)
            elif _add_entry(tar, name, entry, copier, written):
                covered.update(entry.path + suffix for suffix in SIDE_FILES)
            # Or the library keeps a record of every file to the end.
            cast(Any, tar).members = []


def _loss(error: OSError) -> str:
    return f"left out: {error.strerror or error}"


def _add_entry(tar: tarfile.TarFile, name: str, entry: Entry, copier: Copier, written: Written) -> bool:
    """Adds what lies at a place now; what has gone is no fault, what can't be read is noted. True for a database."""
    with ExitStack() as stack:
        mode = entry.status.st_mode
        try:
            open_file = open_snapshot(entry.name, entry.folder, copier) if stat.S_ISREG(mode) else None
            snapshot = stack.enter_context(open_file) if open_file else None
            target = os.readlink(entry.name, dir_fd=entry.folder) if stat.S_ISLNK(mode) else ""
        except OSError as error:
            if not isinstance(error, FileNotFoundError):
                written.note(name, _loss(error))
            return False
        if not snapshot:
            tar.addfile(_member(name, entry.status, target))
            return False
        member = _member(name, snapshot.status)
        member.size = snapshot.size
        tar.addfile(member, cast(BinaryIO, snapshot))
    written.files += 1
    written.bytes += snapshot.size
    if snapshot.changed:
        written.note(name, snapshot.changed)
    return snapshot.is_database


def _member(name: str, status: os.stat_result, target: str = "") -> tarfile.TarInfo:
    """Without the owner, whose number means somebody else on another machine."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = KINDS[stat.S_IFMT(status.st_mode)], target
    member.mode, member.mtime = status.st_mode & 0o777, int(status.st_mtime)
    return member
