"""Reads an archive into folders of its own, and trusts nothing that it says."""

from __future__ import annotations

import gzip
import json
import os
import stat
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from entrypoint.backup.archive import END, ENVIRONMENTS, FORMAT, MANIFEST
from entrypoint.backup.members import CHUNK_BYTES, ArchiveError, Member, Members
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.planting import Planting
from entrypoint.files.untrusted import shown
from entrypoint.files.walk import PATH_BYTES_MAX
from entrypoint.home.environments import readme

RESTORED_ENVIRONMENTS = "restored-environments"
# The names of 50,000 files that were left out. Made to do so, it would take forty times as much as read JSON.
JSON_BYTES_MAX = 1 << 22
# All lists together, which wait in memory for their folder: a list of 1,000 packages has 50 kB.
LISTS_BYTES_MAX = 1 << 24
NAME_BYTES_MAX = 255

# What reading a damaged or hostile stream may raise.
DAMAGE = (
    ArchiveError, EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, ValueError, TypeError, LookupError,
    OverflowError, RecursionError, FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError,
)  # fmt: skip


@dataclass
class Unpacked:
    """What was read from an archive, each volume's part in a folder of its own."""

    folders: dict[str, Path]
    manifest: dict[str, Any] = field(default_factory=dict)
    files: int = 0
    environments: dict[str, bytes] = field(default_factory=dict)
    lists_bytes: int = 0
    # The folder in the home that the lists of environments went to.
    lists: str = ""


def unpack(stream: BinaryIO, folders: dict[str, Path]) -> Unpacked:
    """Unpacks an archive to its very end.

    Raises:
        WorkhorseError: It is damaged, cut, newer than this Workhorse, or not a backup at all.
        OSError: The folders can't be written.
    """
    unpacked = Unpacked(folders)
    try:
        # Gzip's own reader checks the sum at the end.
        with gzip.GzipFile(fileobj=stream) as packed:
            members = Members(cast(BinaryIO, packed))
            unpacked.manifest = _read_manifest(members)
            _unpack_members(members, unpacked)
            while packed.read(CHUNK_BYTES):
                pass
        _write_environments(unpacked)
    except DAMAGE as error:
        reason = shown(str(error) or type(error).__name__)
        raise WorkhorseError.of(
            f"This is not a whole Workhorse backup ({reason}). Everything is as it was.",
            "Copy it anew from where it was made (its size should be the same), then restore again.",
        ) from error
    return unpacked


def _read_manifest(members: Members) -> dict[str, Any]:
    first = members.next()
    if first is None or first.name != MANIFEST:
        raise ArchiveError(f"it doesn't start with {MANIFEST}")
    manifest = _read_json(members, first)
    number = manifest["format"]
    if type(number) is not int or number < 1:
        raise ArchiveError(f"{MANIFEST} is not as it should be")
    if number > FORMAT:
        raise WorkhorseError.of(
            f"This backup was made by Workhorse {told(manifest, 'workhorse')}, in format {shown(str(number))}; "
            f"this Workhorse reads formats up to {FORMAT}. Everything is as it was.",
            "Update Workhorse, then restore again: git pull && docker compose build",
        )
    return manifest


def told(manifest: Mapping[str, Any], name: str) -> str:
    """What a manifest says under a name, for a terminal."""
    text = manifest.get(name)
    return shown(text) if isinstance(text, str) else "(not told)"


def _read_json(members: Members, member: Member) -> dict[str, Any]:
    content = json.loads(_read(members, member, JSON_BYTES_MAX))
    if not isinstance(content, dict):
        raise ArchiveError(f"{member.name} is not as it should be")
    return content


def _read(members: Members, member: Member, most: int) -> bytes:
    if not member.is_file or member.size > most:
        raise ArchiveError(f"{member.name} is not as it should be")
    return members.read(member.size)


def _unpack_members(members: Members, unpacked: Unpacked) -> None:
    with ExitStack() as stack:
        plantings = {
            volume: stack.enter_context(closing(Planting(folder))) for volume, folder in unpacked.folders.items()
        }
        while member := members.next():
            if member.name == END:
                if _read_json(members, member)["files"] != unpacked.files or members.next():
                    raise ArchiveError("it holds other files than it says")
                return
            _unpack_member(members, member, plantings, unpacked)
    raise ArchiveError("its end is missing")


def _unpack_member(members: Members, member: Member, plantings: Mapping[str, Planting], unpacked: Unpacked) -> None:
    volume, path = judge_name(member.name)
    if volume == ENVIRONMENTS:
        _keep_list(members, member, path, unpacked)
    elif member.is_file:
        with plantings[volume].file(path, _mode(member, volume), member.mtime) as file:
            while data := members.read(CHUNK_BYTES):
                file.write(data)
        unpacked.files += 1
    elif member.kind == tarfile.DIRTYPE:
        plantings[volume].folder(path, _mode(member, volume) | stat.S_IXUSR)
    elif len(os.fsencode(member.target)) < PATH_BYTES_MAX:
        plantings[volume].link(path, member.target)
    else:
        raise ArchiveError(f"{member.name} leads to too long a name")


def _mode(member: Member, volume: str) -> int:
    """What its owner may read and write in any case; the state is nobody else's, whatever the archive says."""
    return member.mode & (0o700 if volume == "state" else 0o755) | stat.S_IRUSR | stat.S_IWUSR


def _keep_list(members: Members, member: Member, name: str, unpacked: Unpacked) -> None:
    # An empty one costs something too.
    unpacked.lists_bytes += 1024 + len(name) + member.size
    if unpacked.lists_bytes > LISTS_BYTES_MAX:
        raise ArchiveError("its lists of environments are too long")
    unpacked.environments[name] = _read(members, member, LISTS_BYTES_MAX)


def judge_name(name: str) -> tuple[str, str]:
    """A member's volume and its path there.

    Raises:
        ArchiveError: It would lie elsewhere, or where no file can.
    """
    volume, *path = name.split("/")
    is_list = volume == ENVIRONMENTS and len(path) == 1
    if not (is_list or (volume in ("state", "home") and path)) or {"", ".", ".."} & set(path):
        raise ArchiveError(f"{name!r} is no place in a volume")
    sizes = [len(os.fsencode(part)) for part in path]
    if max(sizes) > NAME_BYTES_MAX or sum(sizes) + len(sizes) > PATH_BYTES_MAX + NAME_BYTES_MAX + 1:
        raise ArchiveError(f"{name} is too long a name")
    return volume, "/".join(path)


def _write_environments(unpacked: Unpacked) -> None:
    """Puts the lists into the home, beside those of an earlier restore that may still wait for their turn."""
    if not unpacked.environments:
        return
    folder, number = unpacked.folders["home"] / RESTORED_ENVIRONMENTS, 1
    while os.path.lexists(folder):
        number += 1
        folder = folder.with_name(f"{RESTORED_ENVIRONMENTS}-{number}")
    folder.mkdir()
    for name, content in unpacked.environments.items():
        (folder / name).write_bytes(content)
    (folder / "README.txt").write_text(readme(unpacked.environments, folder.name), encoding="utf-8")
    unpacked.lists = folder.name
