"""Puts what was unpacked in the place of what is there, which is moved aside and never deleted."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from entrypoint.backup.contents import ASIDE, RESTORING
from entrypoint.files import lock


@contextmanager
def unpacking_folder(root: Path) -> Iterator[Path]:
    """A private folder in a volume, so that its content can be moved into place and not copied."""
    for remains in root.glob(f"{RESTORING}*"):  # of a restore that was killed: no other can run now
        delete(remains)
    folder = Path(tempfile.mkdtemp(prefix=RESTORING, dir=root))
    try:
        yield folder
    finally:
        delete(folder)


def delete(folder: Path) -> None:
    """Deletes a folder of any depth; what can't be deleted stays, and is nobody's work."""
    subprocess.run(["/bin/rm", "-rf", "--one-file-system", "--", folder], stderr=subprocess.DEVNULL, check=False)


def occupants(root: Path) -> list[Path]:
    return [
        place
        for place in root.iterdir()
        if place.name != lock.HALF_RESTORED and not place.name.startswith((ASIDE, RESTORING))
    ]


def free_folder(root: Path) -> Path:
    number = 1
    while os.path.lexists(root / f"{ASIDE}{number}"):
        number += 1
    return root / f"{ASIDE}{number}"


@dataclass
class Moving:
    """The two halves of it: the old goes aside, then the new comes into its place."""

    root: Path
    folder: Path
    aside: Path
    # Which of the old stays where nothing new takes its place.
    spared: str = ""
    _done: list[tuple[Path, Path]] = field(default_factory=list)

    def old(self) -> list[Path]:
        return [
            place
            for place in occupants(self.root)
            if place.name != self.spared or os.path.lexists(self.folder / self.spared)
        ]

    def move_aside(self) -> None:
        if old := self.old():
            self.aside.mkdir(mode=0o700, exist_ok=True)
            for place in old:
                self._move(place, self.aside / place.name)

    def move_in(self) -> None:
        for place in list(self.folder.iterdir()):
            self._move(place, self.root / place.name)

    def take_back(self) -> None:
        for source, target in reversed(self._done):
            target.rename(source)
        if self.aside.is_dir() and not any(self.aside.iterdir()):
            self.aside.rmdir()

    def put_in_place(self, between: Callable[[], None] = lambda: None) -> Path | None:
        """Moves everything; returns where the old lies now, if there was any.

        Args:
            between: Is called between the halves.

        Raises:
            OSError: Something can't be moved; then nothing is.
        """
        try:
            self.move_aside()
            between()
            self.move_in()
        except OSError:
            self.take_back()
            raise
        return self.aside if os.path.lexists(self.aside) else None

    def _move(self, source: Path, target: Path) -> None:
        if os.path.lexists(target):
            raise FileExistsError(f"{target} is there already")
        source.rename(target)
        self._done.append((source, target))
