"""Reads an archive into folders of its own, and trusts nothing that it says."""

from __future__ import annotations

import gzip
import json
import stat
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, cast

from entrypoint.archive import END, ENVIRONMENTS, FORMAT, MANIFEST
from entrypoint.environments import readme
from entrypoint.errors import WorkhorseError

RESTORED_ENVIRONMENTS = "restored-environments"
TEXT_BYTES_MAX = 1 << 28


class ArchiveError(Exception):
    """Why an archive is not taken."""


# What reading a damaged or hostile stream may raise: tarfile passes on much of it as it comes.
DAMAGE = (
    ArchiveError, EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, ValueError, TypeError, LookupError,
    OverflowError, FileExistsError, FileNotFoundError, IsADirectoryError, NotADirectoryError,
)  # fmt: skip


@dataclass
class Unpacked:
    """What was read from an archive, each volume's part in a folder of its own."""

    folders: dict[str, Path]
    manifest: dict[str, Any] = field(default_factory=dict)
    files: int = 0
    modes: dict[Path, int] = field(default_factory=dict)
    links: dict[Path, str] = field(default_factory=dict)
    environments: dict[str, bytes] = field(default_factory=dict)
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
        # Gzip's own reader checks the sum at the end, which tarfile's doesn't.
        with gzip.GzipFile(fileobj=stream) as packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            unpacked.manifest = _read_manifest(tar)
            _unpack_members(tar, unpacked)
            while packed.read(1 << 20):
                pass
        _make_links(unpacked)
        _write_environments(unpacked)
    except DAMAGE as error:
        raise WorkhorseError.of(
            f"This is not a whole Workhorse backup ({error or type(error).__name__}). Everything is as it was.",
            "Copy it anew from where it was made (its size should be the same), then restore again.",
        ) from error
    for folder, mode in unpacked.modes.items():
        folder.chmod(mode)
    return unpacked


def _read_manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    first = tar.next()
    if first is None or first.name != MANIFEST:
        raise ArchiveError(f"it doesn't start with {MANIFEST}")
    manifest = _read_json(tar, first)
    if manifest["format"] > FORMAT:
        raise WorkhorseError.of(
            f"This backup was made by Workhorse {manifest.get('workhorse')}, in format {manifest['format']}; "
            f"this Workhorse reads formats up to {FORMAT}. Everything is as it was.",
            "Update Workhorse, then restore again: git pull && docker compose build",
        )
    return manifest


def _read_json(tar: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, Any]:
    content = json.loads(_read(tar, member))
    if not isinstance(content, dict):
        raise ArchiveError(f"{member.name} is not as it should be")
    return content


def _read(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member) if member.isreg() and member.size <= TEXT_BYTES_MAX else None
    if file is None:
        raise ArchiveError(f"{member.name} is not as it should be")
    return file.read()


def _unpack_members(tar: tarfile.TarFile, unpacked: Unpacked) -> None:
    while member := tar.next():
        if member.name == END:
            if _read_json(tar, member)["files"] != unpacked.files or tar.next():
                raise ArchiveError("it holds other files than it says")
            return
        _unpack_member(tar, member, unpacked)
        # Or the library keeps a record of every file to the end.
        cast(Any, tar).members = []
    raise ArchiveError("its end is missing")


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, unpacked: Unpacked) -> None:
    """Unpacks a file or folder; links wait for the end, so that nothing can be written through them."""
    volume, name = judge_name(member.name)
    if volume == ENVIRONMENTS:
        unpacked.environments[name] = _read(tar, member)
        return
    path = unpacked.folders[volume] / name
    if member.issym():
        unpacked.links[path] = member.linkname
        return
    if member.type not in (tarfile.REGTYPE, tarfile.DIRTYPE) or member.sparse is not None:
        raise ArchiveError(f"{member.name} is neither a file, a folder nor a link")
    tar.extract(member.replace(name=name, deep=False), unpacked.folders[volume], filter="data")
    # The state is nobody else's, whatever the archive says.
    private = 0o700 if volume == "state" else 0o755
    if member.isdir():
        unpacked.modes[path] = member.mode & private | stat.S_IRWXU
    else:
        path.chmod(member.mode & private | stat.S_IRUSR | stat.S_IWUSR)
        unpacked.files += 1


def judge_name(name: str) -> tuple[str, str]:
    """A member's volume and its path there.

    Raises:
        ArchiveError: It would lie elsewhere.
    """
    volume, *path = name.split("/")
    is_list = volume == ENVIRONMENTS and len(path) == 1
    if not (is_list or (volume in ("state", "home") and path)) or {"", ".", ".."} & set(path):
        raise ArchiveError(f"{name!r} is no place in a volume")
    return volume, "/".join(path)


def _make_links(unpacked: Unpacked) -> None:
    for link, target in unpacked.links.items():
        if not unpacked.links.keys().isdisjoint(link.parents):
            raise ArchiveError(f"{link.name} lies behind a link")
        link.symlink_to(target)


def _write_environments(unpacked: Unpacked) -> None:
    """Puts the lists into the home, beside those of an earlier restore that may still wait for their turn."""
    if not unpacked.environments:
        return
    folder, number = unpacked.folders["home"] / RESTORED_ENVIRONMENTS, 1
    while folder.exists():
        number += 1
        folder = folder.with_name(f"{RESTORED_ENVIRONMENTS}-{number}")
    folder.mkdir()
    for name, content in unpacked.environments.items():
        (folder / name).write_bytes(content)
    (folder / "README.txt").write_text(readme(unpacked.environments, folder.name))
    unpacked.lists = folder.name
