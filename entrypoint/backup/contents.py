"""What of a volume a backup holds, and what it leaves out, by which rule."""

from __future__ import annotations

import json
import stat
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.files import lock
from entrypoint.files.walk import Entry, walk

CACHES, ENVIRONMENTS, TRASH = "caches", "environments (their lists are kept)", "trash"
RUNNING, MOUNTED, EARLIER = "of running programs", "mounted from elsewhere", "from before an earlier restore"
UNREADABLE = "unreadable"
REASONS = frozenset((CACHES, ENVIRONMENTS, TRASH, RUNNING, MOUNTED, EARLIER, UNREADABLE))
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

    def add_all(self, others: Names) -> None:
        for reason, names in others.kept.items():
            for name in names:
                self.add(name, reason)
        for reason, count in others.counts.items():
            self.counts[reason] += count - len(others.kept.get(reason, []))

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
    left_out: Mapping[str, str] = field(default_factory=dict)

    def survey(self) -> Names:
        """What is left out of it. What is found besides isn't kept: the archive looks again, since it may be much."""
        left_out = Names()
        for _ in self.entries(left_out.add, lambda name, _: left_out.add(name, UNREADABLE)):
            pass
        return left_out

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
    if entry.path.startswith((ASIDE, RESTORING)) or entry.path == lock.HALF_RESTORED:
        return EARLIER
    if entry.path.startswith(".Trash-"):
        return TRASH
    return CACHES if entry.name == "__pycache__" and kind == stat.S_IFDIR else None
