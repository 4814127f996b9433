"""What of the two volumes a backup holds, and what it leaves out, by which rule."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.environments import find_environments, specification
from entrypoint.places import Places

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


@dataclass
class Contents:
    """What goes into an archive, under its name there, and the names of what doesn't, by reason."""

    # Where a database is copied to on its way.
    scratch: Path
    places: dict[str, Path] = field(default_factory=dict)
    environments: dict[str, str] = field(default_factory=dict)
    left_out: dict[str, list[str]] = field(default_factory=dict)

    def leave_out(self, name: str, reason: str) -> None:
        self.left_out.setdefault(reason, []).append(name)


def survey(places: Places) -> Contents:
    """Looks through both volumes and asks for the lists of the environments; reads no other file yet."""
    contents = Contents(places.home)
    environments = find_environments(places.home)
    for environment in environments:
        if listed := specification(environment, places.home):
            contents.environments[listed[0]] = listed[1]
    _survey_volume(contents, "state", places.state, {})
    left_out = {path.relative_to(places.home).as_posix(): ENVIRONMENTS for path in environments}
    _survey_volume(contents, "home", places.home, LEFT_OUT_OF_HOME | left_out)
    return contents


def _survey_volume(contents: Contents, volume: str, root: Path, left_out: Mapping[str, str]) -> None:
    device, folders = root.stat().st_dev, [root]
    while folders:
        folder = folders.pop()
        for place, status in _entries(folder, contents):
            relative = place.relative_to(root).as_posix()
            name = f"{volume}/{relative}"
            if reason := left_out.get(relative) or reason_to_leave_out(relative, status, device):
                contents.leave_out(name, reason)
                continue
            contents.places[name] = place
            if stat.S_ISDIR(status.st_mode):
                folders.append(place)
    for names in contents.left_out.values():
        names.sort()


def _entries(folder: Path, contents: Contents) -> Iterator[tuple[Path, os.stat_result]]:
    """What lies in a folder now; what has gone meanwhile is no fault."""
    try:
        names = sorted(os.listdir(folder))
    except FileNotFoundError:
        return
    except OSError:
        return contents.leave_out(str(folder), UNREADABLE)
    for name in names:
        try:
            yield folder / name, (folder / name).lstat()
        except FileNotFoundError:
            continue


def reason_to_leave_out(relative: str, status: os.stat_result, device: int) -> str | None:
    """Why something stays out of every backup, wherever it lies; None if it doesn't.

    Args:
        relative: Its path in the volume.
        device: The volume's own.
    """
    kind, name = stat.S_IFMT(status.st_mode), relative.rpartition("/")[2]
    if kind not in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK):
        return RUNNING
    if status.st_dev != device:
        return MOUNTED
    if relative.startswith((ASIDE, RESTORING)):
        return EARLIER
    if relative.startswith(".Trash-"):
        return TRASH
    return CACHES if name == "__pycache__" and kind == stat.S_IFDIR else None
