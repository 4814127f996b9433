"""Reads a tar archive that anybody may have made, one member after the other, and keeps none of them.

Python's tarfile reads headers of any length and any number into memory. Backups hold files, folders, links, and POSIX
headers for what doesn't fit into theirs (pax Interchange Format); all else is refused.
"""

from __future__ import annotations

import tarfile
from dataclasses import dataclass
from typing import BinaryIO

BLOCK_BYTES = tarfile.BLOCKSIZE
CHUNK_BYTES = 1 << 20
# A name and the target of a link have 4 KiB each at most.
EXTENSION_BYTES_MAX = 1 << 16
KINDS = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE)


class ArchiveError(Exception):
    """Why an archive is not taken."""


@dataclass
class Member:
    """A file, folder or link of an archive."""

    name: str
    kind: bytes
    size: int
    mode: int
    mtime: float
    target: str

    @property
    def is_file(self) -> bool:
        return self.kind == tarfile.REGTYPE


class Members:
    """An archive at one of its members, whose content `read` gives."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._left = self._padding = 0

    def next(self) -> Member | None:
        """The next member; None at the archive's end.

        Raises:
            ArchiveError, ValueError, tarfile.TarError, EOFError: It is damaged, or holds what backups don't.
        """
        while self.read(CHUNK_BYTES):
            pass
        self._take(self._padding)
        self._padding = 0
        header = self._header()
        extension = {}
        if header and header.type == tarfile.XHDTYPE:
            extension = self._extension(header.size)
            header = self._header()
        return self._begin(_member(header, extension)) if header else None

    def _begin(self, member: Member) -> Member:
        self._left = member.size
        self._padding = -member.size % BLOCK_BYTES
        return member

    def read(self, size: int) -> bytes:
        """As many bytes of the member's content, or as many as there are left of it."""
        data = self._take(min(size, self._left))
        self._left -= len(data)
        return data

    def _take(self, size: int) -> bytes:
        data = self._stream.read(size)
        if len(data) < size:
            raise EOFError("it is cut")
        return data

    def _header(self) -> tarfile.TarInfo | None:
        block = self._take(BLOCK_BYTES)
        return tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape") if block.strip(b"\0") else None

    def _extension(self, size: int) -> dict[str, str]:
        if not 0 <= size <= EXTENSION_BYTES_MAX:
            raise ArchiveError(f"a header of {size} bytes")
        data = self._take(size)
        self._take(-size % BLOCK_BYTES)
        return dict(_records(data))


def _member(header: tarfile.TarInfo, extension: dict[str, str]) -> Member:
    name = extension.get("path", header.name)
    kind = tarfile.REGTYPE if header.type == tarfile.AREGTYPE else header.type
    if kind not in KINDS:
        raise ArchiveError(f"{name} is neither a file, a folder nor a link")
    size = int(extension.get("size", header.size)) if kind == tarfile.REGTYPE else 0
    if size < 0:
        raise ArchiveError(f"{name} has a size below nothing")
    mtime, target = float(extension.get("mtime", header.mtime)), extension.get("linkpath", header.linkname)
    return Member(name.rstrip("/") if kind == tarfile.DIRTYPE else name, kind, size, header.mode, mtime, target)


def _records(data: bytes) -> list[tuple[str, str]]:
    """The records "length key=value" of a header, whose length counts the whole record."""
    records, place = [], 0
    while place < len(data):
        space = data.index(b" ", place)
        end = place + int(data[place:space])
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals:
            raise ArchiveError("a header that can't be read")
        records.append((key.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape")))
        place = end
    return records
