"""The command that writes one archive of both volumes to standard output, while the server runs."""

from __future__ import annotations

import argparse
import resource
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import BinaryIO, cast

from entrypoint.backup.archive import Written, write_archive
from entrypoint.backup.contents import Contents, survey
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown
from entrypoint.files.walk import PATH_BYTES_MAX

Say = Callable[[str], None]

NOTES_SHOWN = 10


def run(places: Places, _: argparse.Namespace) -> int:
    """The command `workhorse backup`."""
    # Unbuffered, so that nothing is left to be written once nobody reads.
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as stdout:
        backup(places, cast(BinaryIO, stdout), datetime.now(UTC), lambda line: print(line, file=sys.stderr))
    return 0


def backup(places: Places, stdout: BinaryIO, now: datetime, say: Say) -> None:
    """Writes the archive to standard output, and says what it holds.

    Raises:
        WorkhorseError: Nothing takes the archive.
    """
    if stdout.isatty():
        command = "docker compose exec -T workhorse workhorse backup > workhorse-backup.tar.gz"
        raise WorkhorseError.of("A backup is a file, not text for a terminal.", f"On the host: {command}")
    _allow_open_folders()
    with lock.shared(places.state):
        contents = survey(places)
        written = _write_or_say_why_not(contents, stdout, now)
    for line in summary(contents, written):
        say(line)


def _allow_open_folders() -> None:
    """Lets the walk stand as deep as folders lie; without, those below the 1024th level would be left out."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most if most != resource.RLIM_INFINITY else PATH_BYTES_MAX, most))


def _write_or_say_why_not(contents: Contents, stdout: BinaryIO, now: datetime) -> Written:
    try:
        return write_archive(contents, stdout, now)
    except OSError as error:
        raise WorkhorseError.of(
            f"The backup is not complete: {error.strerror}.", "Free some space where the archive goes, then try again."
        ) from error


def summary(contents: Contents, written: Written) -> Iterator[str]:
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(contents.left_out.counts.items()))
    yield (
        f"Backed up {written.files} files, {_size(written.bytes)}, into {_size(written.archive_bytes)}. "
        f"Left out: {left_out or 'nothing'}."
    )
    notes = list(written.notes.items())
    for name, note in notes[:NOTES_SHOWN]:
        yield f"  {shown(name)}: {shown(note)}"
    if hidden := len(notes[NOTES_SHOWN:]) + written.more_notes:
        yield f"  and {hidden} more"
    yield "The archive holds this server's keys and password hash: who has it can pass for the server. Keep it safe."


def _size(count: int) -> str:
    return f"{count / 1e6:.1f} MB" if count >= 1e6 else f"{count / 1e3:.1f} kB"
