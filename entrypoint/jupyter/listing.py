"""Listings of folders of any length: each entry is looked at once, where Jupyter's own asks of each some ten times."""

from __future__ import annotations

import json
import mimetypes
import os
import re
import stat
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from fnmatch import translate
from functools import cache
from typing import Any

from jupyter_client.jsonutil import json_default
from jupyter_server.services.contents.largefilemanager import LargeFileManager

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# One for all: `json.dumps` would make one for each entry.
encode = json.JSONEncoder(default=json_default).encode


class ListingFiles(LargeFileManager):
    """Jupyter's files, listed with what its own listing holds."""

    def _dir_model(self, path: str, content: bool = True) -> dict[str, Any]:
        model: dict[str, Any] = super()._dir_model(path, content=False)
        if content:
            model |= {"content": list(self._entries(path)), "format": "json"}
        return model

    def _entries(self, path: str) -> Iterator[dict[str, Any]]:
        is_unwanted = globs(tuple(self.hide_globs))
        with os.scandir(self._get_os_path(path)) as entries:
            for entry in entries:
                is_hidden = entry.name.startswith(".") and not self.allow_hidden
                if not is_hidden and not is_unwanted(entry.name) and (model := self._entry(path, entry)):
                    yield model

    def _entry(self, path: str, entry: os.DirEntry[str]) -> dict[str, Any] | None:
        """None for what is gone by now, leads in a circle, is no file, or is a folder that may not be opened."""
        try:
            status, is_folder = entry.stat(follow_symlinks=False), entry.is_dir()
        except OSError:
            return None
        if not (stat.S_ISREG(status.st_mode) or stat.S_ISDIR(status.st_mode) or stat.S_ISLNK(status.st_mode)):
            return None
        if is_folder and not self.allow_hidden and not os.access(entry.path, os.X_OK | os.R_OK):
            return None
        kind = "directory" if is_folder else "notebook" if entry.name.endswith(".ipynb") else "file"
        return {
            "name": entry.name,
            "path": f"{path}/{entry.name}" if path else entry.name,
            "last_modified": moment(status.st_mtime),
            "created": moment(status.st_ctime),
            "content": None,
            "format": None,
            "mimetype": mimetypes.guess_type(entry.name)[0] if kind == "file" else None,
            "size": None if is_folder else status.st_size,
            "writable": os.access(entry.path, os.W_OK),
            "hash": None,
            "hash_algorithm": None,
            "type": kind,
        }


@cache
def globs(patterns: tuple[str, ...]) -> Callable[[str], object]:
    """Whether a name fits any of the patterns."""
    return re.compile("|".join(map(translate, patterns)) or r"(?!)").match


def moment(seconds: float) -> datetime:
    """Some file systems know times that no calendar holds; Jupyter takes them for the first."""
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return EPOCH


def listing_text(model: dict[str, Any]) -> bytes:
    """A listing as JSON, entry by entry: the encoder lets no other thread run before it is through with a value."""
    entries = ", ".join([encode(each) for each in model["content"]])
    rest = encode({name: value for name, value in model.items() if name != "content"})
    return f'{{"content": [{entries}], {rest[1:]}'.encode()
