"""The home's part of a backup, by a process of its own that `entrypoint/kernels/backup.py` starts."""

from __future__ import annotations

import resource
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, cast

from entrypoint.backup.archive import ENVIRONMENTS, HOME, Archive, writing
from entrypoint.backup.confines import Lists
from entrypoint.backup.contents import CACHES, RUNNING, TRASH, Volume
from entrypoint.backup.contents import ENVIRONMENTS as LISTED
from entrypoint.backup.databases import Copier
from entrypoint.backup.members import ArchiveError
from entrypoint.files.walk import PATH_BYTES_MAX
from entrypoint.home.environments import find_environments, specification

LEFT_OUT = {
    ".cache": CACHES,
    ".conda/pkgs": CACHES,
    ".local/share/Trash": TRASH,
    ".local/share/jupyter/runtime": RUNNING,
}


def write_home(home: Path, stream: BinaryIO, now: datetime) -> None:
    """Writes what is left out, the lists of environments, the files, and an end with what went wrong on the way."""
    environments = {path.relative_to(home).as_posix(): path for path in find_environments(home)}
    volume = Volume(HOME, home, LEFT_OUT | dict.fromkeys(environments, LISTED))
    left_out = volume.survey()
    with writing(stream, now) as archive:
        archive.begin({"left_out": {"counts": left_out.counts, "kept": left_out.kept}})
        lists = Lists()
        for name, environment in environments.items():
            _add_list(archive, f"{HOME}/{name}", environment, home, lists)
        archive.add_volume(volume, Copier(home))
        archive.end(more_notes=archive.written.more_notes)


def _add_list(archive: Archive, name: str, environment: Path, home: Path, lists: Lists) -> None:
    try:
        listed = specification(environment, home)
        if listed:
            file, text = f"{ENVIRONMENTS}/{listed[0]}", listed[1]
            lists.admit(file, len(text.encode("utf-8", "backslashreplace")))
            archive.add_text(file, text)
    except (OSError, ArchiveError) as error:
        archive.written.note(name, f"left out, and there is no list of its packages: {error}")


def _allow_open_folders() -> None:
    """Lets the walk stand as deep as folders lie; without, those below the 1024th level would be left out."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most if most != resource.RLIM_INFINITY else PATH_BYTES_MAX, most))


def main(home: Path) -> None:
    _allow_open_folders()
    # Unbuffered, so that nothing is left to be written once nobody reads.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as stdout:
        try:
            write_home(home, cast(BinaryIO, stdout), datetime.now(UTC))
        except BrokenPipeError:
            sys.exit("The backup's reader has gone.")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
