"""What of the two volumes a backup holds, and what it leaves out, by which rule."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.files.walk import Entry, walk
from entrypoint.home.environments import find_environments, specification

CACHES, ENVIRONMENTS, TRASH = "caches", "environments (their lists are kept)", "trash"
RUNNING, MOUNTED, EARLIER = "of running programs", "mounted from elsewhere", "from before an earlier restore"
UNREADABLE = "unreadable"
LEFT_OUT_OF_HOME = {
    ".cache": CACHES,
    ".conda/pkgs": CACHES,
    ".local/share/Trash": TRASH,
    ".local/share/jupyter/runtime": RUNNING,
}
# What a restore moves out of its way, and what one that was killed leaves.
ASIDE, RESTORING = "before-restore-", ".restoring-"
# A quarter of what a restore reads of a manifest.
ROOM_BYTES = 1 << 20


@dataclass
class Names:
    """Names by what is said of them: all are counted, and kept while there is room, since there may be millions."""

    counts: Counter[str] = field(default_factory=Counter)
    kept: dict[str, list[str]] = field(default_factory=dict)
    room: int = ROOM_BYTES

    def add(self, name: str, reason: str) -> None:
        self.counts[reason] += 1
        self.room -= len(json.dumps(name))
        if self.room > 0:
            self.kept.setdefault(reason, []).append(name)

    def listed(self) -> dict[str, list[str]]:
        return {reason: self._listed(reason, count) for reason, count in self.counts.items()}

    def _listed(self, reason: str, count: int) -> list[str]:
        names = sorted(self.kept.get(reason, []))
        return [*names, f"and {count - len(names)} more"] if count > len(names) else names


LeaveOut = Callable[[str, str], None]
Lose = Callable[[str, OSError], None]


@dataclass
class Volume:
    """A volume, its name in archives, and the reasons to leave out what is known beforehand."""

    name: str
    root: Path
    left_out: Mapping[str, str]

    def entries(self, leave_out: LeaveOut, lose: Lose) -> Iterator[tuple[str, Entry]]:
        """What belongs into a backup as it lies there now, with its name in archives."""
        try:
            device = self.root.stat().st_dev
        except OSError as error:
            return lose(self.name, error)

        def admit(entry: Entry) -> bool:
            reason = self.left_out.get(entry.path) or reason_to_leave_out(entry, device)
            if reason:
                leave_out(f"{self.name}/{entry.path}", reason)
            return not reason

        for entry in walk(self.root, admit, lambda path, error: lose(f"{self.name}/{path}", error)):
            yield f"{self.name}/{entry.path}", entry


@dataclass
class Contents:
    """What goes into an archive, and the names of what doesn't, by reason."""

    # Where a database is copied to on its way.
    scratch: Path
    volumes: tuple[Volume, ...]
    environments: dict[str, str] = field(default_factory=dict)
    # Of which environment there is no list, and why.
    without_list: dict[str, str] = field(default_factory=dict)
    left_out: Names = field(default_factory=Names)


def survey(places: Places) -> Contents:
    """Looks through both volumes and asks for the lists of the environments; reads no other file yet.

    What is found isn't kept: the archive looks again, since a home may hold millions of files.
    """
    environments = {path.relative_to(places.home).as_posix(): path for path in find_environments(places.home)}
    home = Volume("home", places.home, LEFT_OUT_OF_HOME | dict.fromkeys(environments, ENVIRONMENTS))
    contents = Contents(places.home, (Volume("state", places.state, {}), home))
    for name, environment in environments.items():
        _add_list(contents, f"home/{name}", environment, places.home)
    for volume in contents.volumes:
        for _ in volume.entries(contents.left_out.add, lambda name, _: contents.left_out.add(name, UNREADABLE)):
            pass
    return contents


def _add_list(contents: Contents, name: str, environment: Path, home: Path) -> None:
    try:
        listed = specification(environment, home)
    except OSError as error:
        contents.without_list[name] = f"left out, and there is no list of its packages: {error}"
        return
    if listed:
        contents.environments[listed[0]] = listed[1]


def reason_to_leave_out(entry: Entry, device: int) -> str | None:
    """Why something stays out of every backup, wherever it lies; None if it doesn't.

    Args:
        device: The volume's own.
    """
    kind = stat.S_IFMT(entry.status.st_mode)
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        return RUNNING
    if entry.status.st_dev != device:
        return MOUNTED
    if entry.path.startswith((ASIDE, RESTORING)):
        return EARLIER
    if entry.path.startswith(".Trash-"):
        return TRASH
    return CACHES if entry.name == "__pycache__" and kind == stat.S_IFDIR else None
