"""A folder as an archive, by a process of its own that `entrypoint/lab/folders.py` starts."""

from __future__ import annotations

import stat
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from entrypoint.backup.archive import packing, writing
from entrypoint.backup.contents import LeaveOut, Lose, Volume
from entrypoint.backup.databases import Copier
from entrypoint.files.untrusted import shown
from entrypoint.files.walk import Entry, walk

AMISS = "left out or changed.txt"
HIDDEN = "--hidden"


@dataclass
class Folder(Volume):
    """What JupyterLab shows of a folder, without links, which may lead anywhere, and without what is no file."""

    with_hidden: bool = False

    def entries(self, leave_out: LeaveOut, lose: Lose) -> Iterator[tuple[str, Entry]]:
        def admit(entry: Entry) -> bool:
            if entry.name.startswith(".") and not self.with_hidden:
                return False
            is_admitted = stat.S_ISREG(entry.status.st_mode) or stat.S_ISDIR(entry.status.st_mode)
            if not is_admitted:
                leave_out(self._named(entry.path), "left out: it is a link, or no file")
            return is_admitted

        for entry in walk(self.root, admit, lambda path, error: lose(self._named(path), error)):
            yield self._named(entry.path), entry

    def _named(self, path: str) -> str:
        return f"{self.name}/{path}".rstrip("/")


def write_folder(path: Path, with_hidden: bool, stream: BinaryIO, now: datetime) -> None:
    """Writes the archive, and at its end what in it isn't as it lies on the disk."""
    folder = Folder(path.name, path, with_hidden=with_hidden)
    with packing(stream) as (_, packed), writing(packed, now) as archive:
        archive.add_volume(folder, Copier(Path(tempfile.gettempdir())), archive.written.note)
        lines = [f"{shown(name, len(name))}: {text}\n" for name, text in archive.written.notes.items()]
        if archive.written.more_notes:
            lines.append(f"and {archive.written.more_notes} more\n")
        if lines:
            archive.add_text(AMISS, "".join(lines))


def main(path: Path, with_hidden: bool) -> None:
    # Unbuffered, so that nothing is left to be written once nobody reads.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as stdout:
        try:
            write_folder(path, with_hidden, cast(BinaryIO, stdout), datetime.now(UTC))
        except BrokenPipeError:
            sys.exit(1)


if __name__ == "__main__":
    main(Path(sys.argv[1]), HIDDEN in sys.argv[2:])
