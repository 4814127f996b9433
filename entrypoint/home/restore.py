"""The home's part of a restore, by a process of its own that `entrypoint/kernels/backup.py` starts.

What a kill leaves halfway in its place, `finish_restore` puts there wholly: the home is as it was before, or as it is
after.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from entrypoint.backup.archive import ENVIRONMENTS, HOME
from entrypoint.backup.confines import LISTS_BYTES_MAX, Lists
from entrypoint.backup.contents import ASIDE, RESTORING
from entrypoint.backup.members import ArchiveError, Member, Members
from entrypoint.backup.moving import Moving, free_folder, occupants, unpacking_folder
from entrypoint.backup.unpack import (
    NewerFormatError,
    Unpacking,
    read_manifest,
    read_members,
    read_whole,
    telling_damage,
)
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.private import set_aside, write_private
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home.environments import readme
from entrypoint.home.folder import KEPT
from entrypoint.home.home import venv_of

RESTORED_ENVIRONMENTS = "restored-environments"
NAMES_SHOWN = 5
# What is said before the archive is read: that it may come.
READY = b"ready\n"
# The exit status of a process that has changed nothing.
REFUSED = 3
# A journal's names: its folders, directly below the home.
FOLDER_NAME = re.compile(rf"{re.escape(RESTORING)}\w+", re.ASCII)
ASIDE_NAME = re.compile(rf"{re.escape(ASIDE)}[1-9]\d*", re.ASCII)

Answer = dict[str, Any]


def used_by(home: Path) -> Answer | None:
    """What a home holds besides what a start makes; None if that is nothing."""
    # Besides, what a kill has left of a journal that was being written (`write_private`).
    journal = f".{lock.HALF_RESTORED}."
    made_by_a_start = {venv_of(home).name, KEPT}
    used = sorted(
        shown(place.name)
        for place in occupants(home)
        if place.name not in made_by_a_start and not place.name.startswith(journal)
    )
    if not used:
        return None
    return {"reason": "used", "names": used[:NAMES_SHOWN], "more": len(used[NAMES_SHOWN:])}


def restore_home(home: Path, stream: BinaryIO) -> Answer:
    """Unpacks what comes to its very end, and only then moves what is there aside and this to its place.

    Returns:
        The names of the folders in the home with what was there before, and with the lists of environments.

    Raises:
        OSError: The home can't be written; it is as it was.
        ArchiveError, NewerFormatError: What came is no home's part of a backup; the same.
    """
    with unpacking_folder(home) as folder:
        lists = _WaitingLists()
        with telling_damage(), closing(Unpacking(folder, HOME)) as unpacking:
            members = Members(stream)
            read_manifest(members)
            read_members(members, {HOME: unpacking.take, ENVIRONMENTS: lists.take})
            listed = lists.write_to(folder)
        aside = _put_in_place(home, folder)
    return {"aside": aside.name if aside else "", "lists": listed}


@dataclass
class _WaitingLists:
    """The lists of environments, until all else is unpacked."""

    texts: dict[str, bytes] = field(default_factory=dict)
    bound: Lists = field(default_factory=Lists)

    def take(self, member: Member, name: str, members: Members) -> None:
        self.bound.admit(member.name, member.size)
        self.texts[name] = read_whole(members, member, LISTS_BYTES_MAX)

    def write_to(self, home: Path) -> str:
        """Puts them beside those of an earlier restore that may still wait for their turn; returns the folder."""
        if not self.texts:
            return ""
        folder, number = home / RESTORED_ENVIRONMENTS, 1
        while os.path.lexists(folder):
            number += 1
            folder = folder.with_name(f"{RESTORED_ENVIRONMENTS}-{number}")
        folder.mkdir()
        for name, content in self.texts.items():
            (folder / name).write_bytes(content)
        (folder / "README.txt").write_text(readme(self.texts, folder.name), encoding="utf-8")
        return folder.name


def _put_in_place(home: Path, folder: Path) -> Path | None:
    # The start makes the virtual environment, which belongs to this machine; a backup holds its list.
    moving = Moving(home, folder, free_folder(home), venv_of(home).name)
    _write_journal(moving, "aside")
    try:
        aside = moving.put_in_place(lambda: _write_journal(moving, "in"))
    finally:
        _journal(home).unlink()
    return aside


def _journal(home: Path) -> Path:
    return home / lock.HALF_RESTORED


def _write_journal(moving: Moving, half: str) -> None:
    """Says durably which half of the moves is at work, with what a start needs to go on."""
    names = {"half": half, "folder": moving.folder.name, "aside": moving.aside.name}
    write_private(_journal(moving.root), json.dumps(names).encode())


def finish_restore(home: Path) -> str | None:
    """Goes on with what a killed restore had begun to put in place; says that, or why it can't.

    A notebook may have written the journal too, and so moves its person's files about: within the home, as it could
    anyway.
    """
    journal = _journal(home)
    if not os.path.lexists(journal):
        return None
    try:
        names = json.loads(read_untrusted(journal))
        folder, aside = home / _judged(names["folder"], FOLDER_NAME), home / _judged(names["aside"], ASIDE_NAME)
        moving = Moving(home, folder, aside, venv_of(home).name)
        if names["half"] == "aside":
            moving.move_aside()
            _write_journal(moving, "in")
        moving.move_in()
        folder.rmdir()
        journal.unlink()
    except (OSError, WorkhorseError) as error:
        return f"A restore was interrupted, and can't go on in {home}: {shown(str(error))}."
    except (ValueError, LookupError, TypeError, RecursionError):
        return f"{journal} is none of a restore's; it is kept as {set_aside(journal)}."
    return f"A restore was interrupted when it put the home in place; it is done now. What was there lies in {aside}."


def _judged(name: object, pattern: re.Pattern[str]) -> str:
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise ValueError("no such folder")
    return name


def answer(home: Path, replace: bool, stdin: BinaryIO, stdout: BinaryIO) -> Answer:
    """Restores, and says to the kernels' server what became of it."""
    finish_restore(home)
    if not replace and (used := used_by(home)):
        return used
    try:
        stdout.write(READY)
        stdout.flush()
        return restore_home(home, stdin)
    except (ArchiveError, NewerFormatError) as error:
        return {"reason": "damaged", "text": str(error)}
    except (OSError, WorkhorseError) as error:
        return {"reason": "unwritable", "text": shown(str(error).partition("\n")[0])}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("home", type=Path)
    parser.add_argument("--replace", action="store_true")
    arguments = parser.parse_args()
    said = answer(arguments.home, arguments.replace, sys.stdin.buffer, sys.stdout.buffer)
    print(json.dumps(said), flush=True)
    sys.exit(REFUSED if "reason" in said else 0)


if __name__ == "__main__":
    main()
