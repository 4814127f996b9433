"""Puts what a backup holds into the volumes: all of it or nothing, or a start that says why not.

The door, which is stopped, unpacks the state; the kernels' server, which runs, unpacks the home. Neither sees the
other's. The end of the archive is held back from that server until the state lies unpacked: when it has heard it, it
puts the home in place and says so, and only then the state follows. So one stream is enough for both phases, and what
is cut anywhere before its end changes nothing.
"""

from __future__ import annotations

import argparse
import gzip
import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from entrypoint.backup.archive import ENVIRONMENTS, HOME, STATE, Archive, writing
from entrypoint.backup.contents import ASIDE
from entrypoint.backup.members import CHUNK_BYTES, ArchiveError, Member, Members
from entrypoint.backup.moving import Moving, delete, free_folder, unpacking_folder
from entrypoint.backup.unpack import (
    NewerFormatError,
    Unpacking,
    is_counted,
    read_manifest,
    read_members,
    telling_damage,
    told,
)  # fmt: skip
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import shown
from entrypoint.login.cookie_secrets import new_secret
from entrypoint.proxy.streaming import WAIT_SECONDS, AbsentKernelsError, AnsweredError, NoStreamError, Request, posting

Say = Callable[[str], None]

ADDRESS = "/workhorse/restore"
COMMAND = "docker compose run --rm -T workhorse workhorse restore{} < workhorse-backup.tar.gz"
UNCHANGED = "Everything is as it was"
# What the kernels' server may say that it did, as its folders' names.
ASIDE_NAME = re.compile(r"before-restore-\d{1,9}", re.ASCII)
LISTS_NAME = re.compile(r"restored-environments(-\d{1,9})?", re.ASCII)
NAMES_SHOWN, COUNT_MAX = 5, 1 << 53


def run(places: Places, arguments: argparse.Namespace) -> int:
    """The command `workhorse restore`."""
    restore(places, sys.stdin.buffer, arguments.replace, lambda line: print(line, file=sys.stderr))
    return 0


@dataclass
class Restored:
    """What was read from an archive, and where what was there before lies now."""

    date: str
    files: int
    home: Mapping[str, str] = field(default_factory=dict)
    state_aside: Path | None = None


def restore(places: Places, stdin: BinaryIO, replace: bool, say: Say, wait_seconds: float = WAIT_SECONDS) -> None:
    """Reads an archive from standard input and puts it in place of what is there, which is moved aside.

    Args:
        replace: Whether a home that is in use may be moved aside too.

    Raises:
        WorkhorseError: Nothing was changed, or it says what was.
    """
    if stdin.isatty():
        raise WorkhorseError.of(
            "The backup to restore comes from standard input.", f"On the host: {COMMAND.format('')}"
        )
    with lock.claimed(places.state):
        # What a killed restore left is nobody's work, and is moved aside like all else.
        is_repeated = os.path.lexists(places.state / lock.HALF_RESTORED)
        address = f"{ADDRESS}?replace=1" if replace or is_repeated else ADDRESS
        with _saying_why_not(), unpacking_folder(places.state) as folder:
            with _mark(places.state / lock.HALF_RESTORED, is_repeated) as mark:
                restored = _unpack(places, stdin, folder, address, mark, wait_seconds)
            restored.state_aside = _put_in_place(places, folder)
    for line in summary(places, restored):
        say(line)


@contextmanager
def _mark(mark: Path, is_repeated: bool) -> Iterator[Callable[[], None]]:
    """What writes the mark of a half restore, which is taken away again when there is none."""
    try:
        yield lambda: write_private(mark, b"")
    except BaseException:
        if not is_repeated:
            mark.unlink(missing_ok=True)
        raise


@contextmanager
def _saying_why_not() -> Iterator[None]:
    try:
        yield
    except AbsentKernelsError as error:
        raise WorkhorseError.of(
            f"Nothing was restored, since {error}.", "Start it, then restore again: docker compose up -d kernels"
        ) from error
    except NoStreamError as error:
        raise WorkhorseError.of(
            f"Nothing was restored: {error}. {UNCHANGED}.",
            "See what it says, then restore again: docker compose logs kernels",
        ) from error
    except NewerFormatError as error:
        raise WorkhorseError.of(
            f"{error} {UNCHANGED}.",
            "Update Workhorse, then restore again: git pull && docker compose build && docker compose up -d kernels",
        ) from error
    except ArchiveError as error:
        raise _damaged(str(error)) from error
    except OSError as error:
        raise _unwritable(str(error)) from error


def _damaged(reason: str) -> WorkhorseError:
    return WorkhorseError.of(
        f"This is not a whole Workhorse backup ({reason}). {UNCHANGED}.",
        "Copy it anew from where it was made (its size should be the same), then restore again.",
    )


def _unwritable(reason: str) -> WorkhorseError:
    return WorkhorseError.of(
        f"The backup can't be restored, and everything is as it was: {shown(reason)}.",
        f"Free some space on the disk that holds Docker's volumes, or let user {os.geteuid()} write there.",
    )


def _unpack(
    places: Places, stdin: BinaryIO, folder: Path, address: str, mark: Callable[[], None], wait_seconds: float
) -> Restored:
    """Unpacks the state's part into a folder, and has the kernels' server unpack the home's and put it in place."""
    # Gzip's own reader checks the sum at the end.
    with gzip.GzipFile(fileobj=stdin) as packed:
        with telling_damage():
            members = Members(cast(BinaryIO, packed))
            manifest = read_manifest(members)
        with posting(places.kernels_socket, address, wait_seconds) as request:
            try:
                with writing(cast(BinaryIO, request), datetime.now(UTC)) as archive:
                    archive.begin({})
                    files = _part(members, folder, archive, packed)
                    _sign_everybody_out(folder / places.cookie_secret.name)
                    mark()
                    archive.end()
                request.end()
            except AnsweredError:
                raise _refusal(request) from None
            return Restored(told(manifest, "date"), files, _heard(request))


def _part(members: Members, folder: Path, archive: Archive, packed: gzip.GzipFile) -> int:
    """Gives each side its members, to the very end; returns how many files there were."""

    def pass_on(member: Member, _: str, members: Members) -> None:
        archive.pass_on(member, members)
        archive.written.files += is_counted(member)

    with telling_damage(), closing(Unpacking(folder, STATE)) as unpacking:
        files = read_members(members, {STATE: unpacking.take, HOME: pass_on, ENVIRONMENTS: pass_on})
        while packed.read(CHUNK_BYTES):
            pass
    return files


def _sign_everybody_out(cookie_secret: Path) -> None:
    """Gives a restored state a new secret: the one of the backup would let in again who has been signed out since."""
    if cookie_secret.is_dir() and not cookie_secret.is_symlink():
        delete(cookie_secret)
    write_private(cookie_secret, new_secret().encode())


def _refusal(request: Request) -> Exception:
    """Why the kernels' server didn't take all of it; that it was done, it can't say before it has heard the end."""
    return _reason(request.answer()) or NoStreamError("the kernels' server said that it was done before it could be")


def _heard(request: Request) -> dict[str, str]:
    """Which folders the kernels' server says that it made in the home, by their purpose.

    Raises:
        WorkhorseError: It says why it changed nothing, or not whether it did.
    """
    try:
        answer = request.answer()
    except NoStreamError as error:
        raise WorkhorseError.of(
            f"This server's keys and password are as they were. Whether the home was restored is not known: {error}.",
            f"Restore again: {COMMAND.format(' --replace')}",
        ) from error
    if reason := _reason(answer):
        raise reason
    names = {"aside": ASIDE_NAME, "lists": LISTS_NAME}
    return {purpose: name for purpose, pattern in names.items() if (name := _judged(answer.get(purpose), pattern))}


def _judged(name: Any, pattern: re.Pattern[str]) -> str:
    return name if isinstance(name, str) and pattern.fullmatch(name) else ""


def _reason(answer: Mapping[str, Any]) -> WorkhorseError | None:
    """Why nothing was changed there, in our own words; None if it says that it did what it was asked for."""
    reason = answer.get("reason")
    if reason is None:
        return None
    if reason == "used":
        return _used(answer)
    if reason == "running":
        running = ", ".join(f"{_count(answer.get(what))} {what}" for what in ("kernels", "terminals"))
        return WorkhorseError.of(
            f"The home is in use by what runs: {running}. Nothing was restored.",
            "To end all of it, then restore again: docker compose restart kernels",
        )
    if reason == "restoring":
        return WorkhorseError.of("Another restore is at work. Nothing was restored.", "Wait until it has ended.")
    text = shown(str(answer.get("text", "no reason given")))
    if reason == "damaged":
        return _damaged(text)
    if reason == "unwritable":
        return _unwritable(text)
    return WorkhorseError.of(
        f"The kernels' server could not restore the home, and the state is as it was ({shown(str(reason))}).",
        "See what it says, then restore again: docker compose logs kernels",
    )


def _used(answer: Mapping[str, Any]) -> WorkhorseError:
    names = answer.get("names")
    listed = ", ".join(shown(str(name)) for name in names[:NAMES_SHOWN]) if isinstance(names, list) else ""
    more = f" and {count} more" if (count := _count(answer.get("more"))) else ""
    return WorkhorseError.of(
        f"The home volume is in use: it holds {listed}{more}. Nothing was restored.",
        f"To move that to {ASIDE}1 there and restore: {COMMAND.format(' --replace')}",
    )


def _count(number: Any) -> int:
    return min(number, COUNT_MAX) if type(number) is int else 0


def _put_in_place(places: Places, folder: Path) -> Path | None:
    """The state's half, after which the mark is gone."""
    try:
        aside = Moving(places.state, folder, free_folder(places.state)).put_in_place()
        (places.state / lock.HALF_RESTORED).unlink()
    except OSError as error:
        raise WorkhorseError.of(
            f"The home is restored, and the server's keys and password can't be: {shown(str(error))}.",
            f"Free some space on the disk that holds Docker's volumes, then: {COMMAND.format(' --replace')}",
        ) from error
    return aside


def summary(places: Places, restored: Restored) -> Iterator[str]:
    yield f"Restored {restored.files} files of {restored.date}. Next: docker compose up -d"
    yield "Every device is signed out, also where the backup is older than its last sign-out."
    home_aside = restored.home.get("aside")
    for folder in filter(None, (restored.state_aside, places.home / home_aside if home_aside else None)):
        yield f"What was there before lies in {folder}. On a new machine, that is what its own start has made."
    if lists := restored.home.get("lists"):
        yield "Your environments came as lists of packages. How to make them again, in a terminal of JupyterLab:"
        yield f"  cat ~/{lists}/README.txt"
