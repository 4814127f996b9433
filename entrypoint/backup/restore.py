"""Puts what a backup holds into the volumes of a stopped server: all of it or nothing, or a start that says why not."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from entrypoint.backup.contents import ASIDE, RESTORING
from entrypoint.backup.unpack import told, unpack
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import set_aside, write_private
from entrypoint.files.untrusted import shown
from entrypoint.home.home import venv_of
from entrypoint.login.cookie_secrets import new_secret

Say = Callable[[str], None]

COMMAND = "docker compose run --rm -T workhorse workhorse restore{} < workhorse-backup.tar.gz"
NAMES_SHOWN = 5


def run(places: Places, arguments: argparse.Namespace) -> int:
    """The command `workhorse restore`."""
    restore(places, sys.stdin.buffer, arguments.replace, lambda line: print(line, file=sys.stderr))
    return 0


def restore(places: Places, stdin: BinaryIO, replace: bool, say: Say) -> None:
    """Reads an archive from standard input and puts it in place of what is there, which is moved aside.

    Args:
        replace: Whether a home that is in use may be moved aside too.

    Raises:
        WorkhorseError: Nothing was changed.
    """
    if stdin.isatty():
        raise WorkhorseError.of(
            "The backup to restore comes from standard input.", f"On the host: {COMMAND.format('')}"
        )
    with lock.claimed(places.state):
        # What a killed restore left is nobody's work, and is moved aside like all else.
        _refuse_used_home(places.home, replace or os.path.lexists(places.state / lock.HALF_RESTORED))
        try:
            with _unpacking_folders(places) as folders:
                unpacked = unpack(stdin, folders)
                _sign_everybody_out(folders["state"] / places.cookie_secret.name)
                asides = put_in_place(places, folders)
        except OSError as error:
            raise _unwritable(error) from error
    say(f"Restored {unpacked.files} files of {told(unpacked.manifest, 'date')}. Next: docker compose up -d")
    say("Every device is signed out, also where the backup is older than its last sign-out.")
    for folder in asides:
        say(f"What was there before lies in {folder}. On a new machine, that is what its own start has made.")
    if unpacked.lists:
        say("Your environments came as lists of packages. How to make them again, in a terminal of JupyterLab:")
        say(f"  cat ~/{unpacked.lists}/README.txt")


def _sign_everybody_out(cookie_secret: Path) -> None:
    """Gives a restored state a new secret: the one of the backup would let in again who has been signed out since."""
    if cookie_secret.is_dir() and not cookie_secret.is_symlink():
        _delete(cookie_secret)
    write_private(cookie_secret, new_secret().encode())


def _delete(folder: Path) -> None:
    """Deletes a folder of any depth; what can't be deleted stays, and is nobody's work."""
    subprocess.run(["/bin/rm", "-rf", "--one-file-system", "--", folder], stderr=subprocess.DEVNULL, check=False)


def _unwritable(error: OSError) -> WorkhorseError:
    return WorkhorseError.of(
        f"The backup can't be restored, and everything is as it was: {shown(str(error))}.",
        f"Free some space on the disk that holds Docker's volumes, or let user {os.geteuid()} write there.",
    )


def _refuse_used_home(home: Path, replace: bool) -> None:
    used = sorted(place.name for place in _occupants(home) if place != venv_of(home))
    if used and not replace:
        names = ", ".join(map(shown, used[:NAMES_SHOWN]))
        more = f" and {len(used) - NAMES_SHOWN} more" if len(used) > NAMES_SHOWN else ""
        raise WorkhorseError.of(
            f"The home volume is in use: it holds {names}{more}. Nothing was restored.",
            f"To move that to {ASIDE}1 there and restore: {COMMAND.format(' --replace')}",
        )


def _occupants(root: Path) -> list[Path]:
    return [
        place
        for place in root.iterdir()
        if place.name != lock.HALF_RESTORED and not place.name.startswith((ASIDE, RESTORING))
    ]


@contextmanager
def _unpacking_folders(places: Places) -> Iterator[dict[str, Path]]:
    """A private folder in each volume, so that its content can be moved into place and not copied."""
    roots = {"state": places.state, "home": places.home}
    for root in roots.values():
        for remains in root.glob(f"{RESTORING}*"):  # of a restore that was killed: no other can run now
            _delete(remains)
    folders: dict[str, Path] = {}
    try:
        for volume, root in roots.items():
            folders[volume] = Path(tempfile.mkdtemp(prefix=RESTORING, dir=root))
        yield folders
    finally:
        for folder in folders.values():
            _delete(folder)


def put_in_place(places: Places, folders: Mapping[str, Path]) -> list[Path]:
    """Moves what is there aside and what was unpacked to its place; returns where the former lies.

    Raises:
        OSError: Something can't be moved; then nothing is.
    """
    asides, moves = [], []
    for root, folder in ((places.state, folders["state"]), (places.home, folders["home"])):
        restored = list(folder.iterdir())
        # The start makes the virtual environment, which belongs to this machine; a backup holds its list.
        wanted = {place.name for place in restored}
        old = [place for place in _occupants(root) if place != venv_of(places.home) or place.name in wanted]
        if old:
            asides.append(aside := _free_folder(root))
            moves += [(place, aside / place.name) for place in old]
        moves += [(place, root / place.name) for place in restored]
    _move(places.state / lock.HALF_RESTORED, asides, moves)
    return asides


def _free_folder(root: Path) -> Path:
    number = 1
    while os.path.lexists(root / f"{ASIDE}{number}"):
        number += 1
    return root / f"{ASIDE}{number}"


def _move(mark: Path, new_folders: Iterable[Path], moves: Iterable[tuple[Path, Path]]) -> None:
    was_marked, done = os.path.lexists(mark), list[tuple[Path, Path]]()
    if mark.is_dir() and not mark.is_symlink():
        # Nothing could be written over it, nor be taken away at the end.
        set_aside(mark)
    write_private(mark, b"")
    try:
        for folder in new_folders:
            folder.mkdir(mode=0o700)
        for source, target in moves:
            if os.path.lexists(target):
                raise FileExistsError(f"{target} is there already")
            source.rename(target)
            done.append((source, target))
    except OSError:
        _take_back(new_folders, done)
        if not was_marked:
            mark.unlink()
        raise
    mark.unlink()


def _take_back(new_folders: Iterable[Path], done: Sequence[tuple[Path, Path]]) -> None:
    for source, target in reversed(done):
        target.rename(source)
    for folder in new_folders:
        if folder.is_dir():
            folder.rmdir()
