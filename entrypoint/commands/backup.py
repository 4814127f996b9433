"""The command that writes one archive of both volumes to standard output, while everything runs.

The door reads the state's volume itself and asks the kernels' server for the home's. What that sends is anybody's: it
is judged, and each member made anew.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, BinaryIO, cast

from entrypoint.backup.archive import END, HOME, NOTES_MAX, STATE, VERSION, Archive, Written, packing, writing
from entrypoint.backup.confines import HomePart, judge_name
from entrypoint.backup.contents import REASONS, Names, Volume
from entrypoint.backup.databases import Copier
from entrypoint.backup.members import ArchiveError, Members
from entrypoint.backup.unpack import NewerFormatError, is_counted, read_json, read_manifest, telling_damage
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import shown
from entrypoint.proxy.streaming import WAIT_SECONDS, AbsentKernelsError, NoStreamError, getting

Say = Callable[[str], None]

ADDRESS = "/workhorse/backup"
NOTES_SHOWN = 10
NOTE_CHARACTERS = 1000
COUNT_MAX = 1 << 53


def run(places: Places, _: argparse.Namespace) -> int:
    """The command `workhorse backup`."""
    # Unbuffered, so that nothing is left to be written once nobody reads.
    now = datetime.now(UTC)
    with open(sys.stdout.fileno(), "wb", buffering=0, closefd=False) as stdout:
        backup(places, cast(BinaryIO, stdout), now, say_beside)
    keep_time(places, now, say_beside)
    return 0


def say_beside(line: str) -> None:
    """Where the archive isn't."""
    print(line, file=sys.stderr)


@dataclass
class BackedUp:
    """What an archive came to."""

    left_out: Names
    written: Written = field(default_factory=Written)
    archive_bytes: int = 0


def backup(places: Places, stdout: BinaryIO, now: datetime, say: Say, wait_seconds: float = WAIT_SECONDS) -> None:
    """Writes the archive to standard output, and says what it holds.

    Raises:
        WorkhorseError: The kernels' server doesn't give the home, or nothing takes the archive.
    """
    if stdout.isatty():
        command = "docker compose exec -T workhorse workhorse backup > workhorse-backup.tar.gz"
        raise WorkhorseError.of("A backup is a file, not text for a terminal.", f"On the host: {command}")
    with lock.shared(places.state), _saying_why_not(), getting(places.kernels_socket, ADDRESS, wait_seconds) as stream:
        backed_up = _write(places, Members(stream), stdout, now)
    for line in summary(backed_up):
        say(line)


def keep_time(places: Places, now: datetime, say: Say) -> None:
    """For the server's own page; the archive is whole without it."""
    try:
        write_private(places.last_backup, now.isoformat(timespec="seconds").encode())
    except WorkhorseError as error:
        say(f"That there is a backup could not be noted: {error}")


@contextmanager
def _saying_why_not() -> Iterator[None]:
    try:
        yield
    except AbsentKernelsError as error:
        raise WorkhorseError.of(f"There is no backup: {error}.", "Start it: docker compose up -d kernels") from error
    except NoStreamError as error:
        raise _of_kernels(str(error)) from error
    except NewerFormatError as error:
        raise WorkhorseError.of(
            "The backup is not complete: Workhorse is newer in the kernels' server than at the door.",
            "Update both: docker compose up -d --build",
        ) from error
    except ArchiveError as error:
        raise _of_kernels(f"what the kernels' server sent is no home's part of a backup ({error})") from error
    except OSError as error:
        raise WorkhorseError.of(
            f"The backup is not complete: {error.strerror}.", "Free some space where the archive goes, then try again."
        ) from error


def _of_kernels(reason: str) -> WorkhorseError:
    return WorkhorseError.of(
        f"The backup is not complete: {reason}.",
        "Try again. If it comes back: docker compose logs kernels, then docker compose restart kernels",
    )


def _write(places: Places, members: Members, stdout: BinaryIO, now: datetime) -> BackedUp:
    state = Volume(STATE, places.state)
    backed_up = BackedUp(state.survey())
    with telling_damage():
        backed_up.left_out.add_all(_judged_left_out(read_manifest(members).get("left_out")))
        with packing(stdout) as (out, packed), writing(packed, now) as archive:
            archive.begin({
                "workhorse": VERSION,
                "date": now.isoformat(timespec="minutes"),
                "left_out": backed_up.left_out.listed(),
            })  # fmt: skip
            backed_up.written = archive.written
            archive.add_volume(state, Copier(places.state))
            _pass_home_on(members, archive)
            archive.end()
    backed_up.archive_bytes = out.bytes
    return backed_up


def _pass_home_on(members: Members, archive: Archive) -> None:
    """Raises ArchiveError for the first member that doesn't belong there, and where the last is missing."""
    part, files = HomePart(), 0
    while member := members.next():
        if member.name == END:
            told = read_json(members, member)
            if told["files"] != files or members.next():
                raise ArchiveError("it holds other files than it says")
            _add_notes(archive.written, told)
            return
        part.admit(member)
        archive.pass_on(member, members)
        if is_counted(member):
            files += 1
            archive.written.files += 1
            archive.written.bytes += member.size
    raise ArchiveError("its end is missing")


def _judged_left_out(told: Any) -> Names:
    """What the kernels' server says that it leaves out, by reasons that a backup knows."""
    counts, kept = told["counts"], told["kept"]
    if not (isinstance(counts, dict) and isinstance(kept, dict) and kept.keys() <= counts.keys() <= REASONS):
        raise ArchiveError("what is left out is not told as it should be")
    names = Names()
    for reason, count in counts.items():
        names.kept[reason] = list(map(_judged_place, kept.get(reason, [])))
        names.counts[reason] = _judged_count(count, len(names.kept[reason]))
    return names


def _add_notes(written: Written, told: dict[str, Any]) -> None:
    """What the kernels' server says of files that it could not read as it should."""
    if not isinstance(told["notes"], dict) or len(told["notes"]) > NOTES_MAX:
        raise ArchiveError("its notes are not as they should be")
    for name, text in told["notes"].items():
        written.note(_judged_place(name), str(text)[:NOTE_CHARACTERS])
    written.more_notes += _judged_count(told["more_notes"], 0)


def _judged_place(name: Any) -> str:
    if name != HOME and judge_name(name)[0] != HOME:
        raise ArchiveError(f"{name!r} doesn't lie in the home")
    return str(name)


def _judged_count(count: Any, least: int) -> int:
    if type(count) is not int or not least <= count < COUNT_MAX:
        raise ArchiveError("its numbers are not as they should be")
    return count


def summary(backed_up: BackedUp) -> Iterator[str]:
    written, counts = backed_up.written, backed_up.left_out.counts
    left_out = ", ".join(f"{count} {reason}" for reason, count in sorted(counts.items()))
    yield (
        f"Backed up {written.files} files, {_size(written.bytes)}, into {_size(backed_up.archive_bytes)}. "
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
