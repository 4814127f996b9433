"""One conda package, in the older of conda's two formats (.tar.bz2), which needs no tool to write."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import platform
import tarfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SUBDIR = {"x86_64": "linux-64", "aarch64": "linux-aarch64"}.get(platform.machine(), f"linux-{platform.machine()}")
PLACEHOLDER = "/workhorse_prefix_placeholder"


@dataclass(frozen=True)
class File:
    """A file of a package: its bytes, or the target of a symbolic link."""

    content: bytes | str
    mode: int = 0o644
    placeholder: str | None = None

    def path_entry(self, name: str) -> dict[str, Any]:
        """Its line in paths.json; a placeholder is replaced by the environment's prefix at installation."""
        if isinstance(self.content, str):
            empty = hashlib.sha256(b"").hexdigest()
            return {"_path": name, "path_type": "softlink", "sha256": empty, "size_in_bytes": 0}
        digest = hashlib.sha256(self.content).hexdigest()
        entry = {"_path": name, "path_type": "hardlink", "sha256": digest, "size_in_bytes": len(self.content)}
        return entry | ({"prefix_placeholder": self.placeholder, "file_mode": "text"} if self.placeholder else {})


@dataclass(frozen=True)
class Package:
    """A package's metadata and its files by their path in the environment."""

    name: str
    version: str
    build: str
    depends: list[str]
    files: Mapping[str, File] = field(default_factory=dict)
    noarch: str | None = None
    entry_points: list[str] = field(default_factory=list)

    def write(self, channel: Path) -> None:
        folder = channel / self._subdir
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.name}-{self.version}-{self.build}.tar.bz2"
        with (
            bz2.open(path, "wb", compresslevel=1) as compressed,
            tarfile.open(fileobj=compressed, mode="w|") as archive,
        ):
            for name, file in {**dict(self._metadata()), **self.files}.items():
                _add(archive, name, file)

    @property
    def _subdir(self) -> str:
        return "noarch" if self.noarch else SUBDIR

    def _metadata(self) -> Iterator[tuple[str, File]]:
        names = sorted(self.files)
        paths = [self.files[name].path_entry(name) for name in names]
        yield "info/index.json", _json(self._index())
        yield "info/paths.json", _json({"paths": paths, "paths_version": 1})
        yield "info/about.json", _json({})
        yield "info/files", File("".join(f"{name}\n" for name in names).encode())
        if self.noarch == "python":
            link = {"noarch": {"type": "python", "entry_points": self.entry_points}, "package_metadata_version": 1}
            yield "info/link.json", _json(link)

    def _index(self) -> dict[str, Any]:
        index = {
            "name": self.name,
            "version": self.version,
            "build": self.build,
            "build_number": 0,
            "depends": self.depends,
            "subdir": self._subdir,
            "license": "see upstream",
            "timestamp": int(time.time() * 1000),
        }
        return index | ({"noarch": self.noarch} if self.noarch else {})


def _json(value: Any) -> File:
    return File(json.dumps(value).encode())


def _add(archive: tarfile.TarFile, name: str, file: File) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode, entry.mtime = file.mode, int(time.time())
    if isinstance(file.content, str):
        entry.type, entry.linkname = tarfile.SYMTYPE, file.content
        archive.addfile(entry)
    else:
        entry.size = len(file.content)
        archive.addfile(entry, io.BytesIO(file.content))
