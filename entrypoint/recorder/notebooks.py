"""The notebooks that runs go into: found, compared and saved as JupyterLab saves them, which may wait for a disk."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import nbformat

from entrypoint.files.conflicts import is_in_conflict
from entrypoint.files.walk import Entry, walk
from entrypoint.jupyter.saving import replacing
from entrypoint.recorder.merging import copy_of, fingerprints, merge, shown_in
from entrypoint.recorder.runs import Run

# How far a notebook is looked for that isn't where it was.
ENTRIES_MAX = 200_000
# A save that a page began before the end of a run may come about after it.
SAVING_SECONDS = 5.0
ENDING = ".ipynb"


@dataclass(frozen=True)
class Place:
    """Where a notebook lies.

    Args:
        path: As Jupyter's API gives it.
        inode: Device and inode number, by which one is found that was moved.
    """

    path: str
    inode: tuple[int, int] | None = None


@dataclass(frozen=True)
class Written:
    """What came of it.

    Args:
        lines: What is to be told.
        before, after: The file's hashes, as Jupyter's API gives them, and its time of modification as that gives it.
    """

    lines: list[str]
    path: str | None = None
    runs: Sequence[Run] = ()
    before: str = ""
    after: str = ""
    modified: str = ""
    # What those cells are whose displays may change once more.
    shown: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Notebooks:
    """All below the notebooks' folder.

    Args:
        contents: Jupyter's manager of files, called in a thread.
        elsewhere: The folder for what has no notebook any more.
    """

    contents: Any
    elsewhere: Path

    def look(
        self, path: str, runs: Iterable[Run], since: float, shown: Iterable[Run] = ()
    ) -> tuple[Place, list[Run], dict[str, str]]:
        """How a notebook is when the last page has left it.

        Args:
            shown: Runs that it was saved with, and whose displays may change.

        Returns:
            Where it lies; the runs that a page has saved, or has saved it without; and what the cells are, of the
            others and of those that may change.
        """
        try:
            status = os.stat(self._os_path(path))
        except FileNotFoundError:
            return Place(path), [], {}
        held = self.held(path, runs, since)
        others = [run for run in runs if run not in held]
        changing = [run for run in (*held, *shown) if run.outputs.may_change]
        notebook = self._read(path) if others or changing else {"cells": []}
        found = fingerprints(notebook, others) | shown_in(notebook, changing)
        return Place(path, (status.st_dev, status.st_ino)), held, found

    def held(self, path: str, runs: Iterable[Run], since: float) -> list[Run]:
        """The runs that a page has saved, or has saved the notebook without.

        Args:
            since: When a page came that wasn't there before; who changed the notebook earlier was somebody else.
        """
        try:
            modified = os.stat(self._os_path(path)).st_mtime
        except FileNotFoundError:
            return []
        return [run for run in runs if run.ended and max(run.ended + SAVING_SECONDS, since) < modified]

    def set_apart(self, path: str, runs: list[Run], now: datetime) -> tuple[list[Run], list[str]]:
        """Puts what no longer has its cell into a copy, since a page comes that will show the rest; as `write`."""
        notebook = self._read(path)
        found = fingerprints(notebook, runs)
        refused = [run for run in runs if found.get(run.id) != run.before]
        return refused, [self._copy(path, notebook, refused, now)] if refused else []

    def write(self, place: Place, runs: list[Run], now: datetime) -> Written:
        """Puts runs into their cells, and those whose cell isn't what it was into a copy.

        Raises:
            OSError, HTTPError: Nothing of it could be written, or not all.
        """
        path = self._find(place)
        if path is None:
            file = self._write_elsewhere(place.path, runs, now)
            return Written(
                [f"{place.path!r} was deleted while its cells ran: what they put out lies in {str(file)!r}."]
            )
        model, notebook = self._open(path)
        if is_in_conflict(Path(self._os_path(path))):
            # A person has to choose between two versions, and neither may become a third.
            return Written([self._copy(path, notebook, runs, now)])
        before, cells = model["hash"], deepcopy(notebook["cells"])
        # As Jupyter does when it opens one: a notebook that was trusted is so afterwards.
        notary = self.contents.notary
        notary.mark_cells(notebook, notary.check_signature(notebook))
        refused = merge(notebook, runs)
        if _without_trust(notebook["cells"]) != _without_trust(cells):
            self.contents.save({"type": "notebook", "format": "json", "content": notebook}, path)
            model = self.contents.get(path, content=False, require_hash=True)
        lines = [self._copy(path, notebook, refused, now)] if refused else []
        merged = [run for run in runs if run not in refused]
        modified = model["last_modified"].isoformat().replace("+00:00", "Z")
        may_change = any(run.outputs.may_change for run in merged)
        shown = shown_in(self._read(path), merged) if may_change else {}
        return Written(lines, path, merged, before, model["hash"], modified, shown)

    def _copy(self, path: str, notebook: Any, runs: list[Run], now: datetime) -> str:
        """Writes a copy, and returns what is to be told of it."""
        name, target = Path(path).name, _copy_s_path(path, now)
        told = f"Cells of {name}, which was changed while they ran: as they were then, and what they put out."
        copy = copy_of(notebook, runs, told)
        self.contents.save({"type": "notebook", "format": "json", "content": copy}, target)
        return f"{path!r} was changed while its cells ran: what some of them put out lies in {target!r}."

    def _find(self, place: Place) -> str | None:
        """Where the notebook lies by now."""
        if os.path.isfile(self._os_path(place.path)):
            return place.path
        root = Path(self.contents.root_dir)
        entries = islice(walk(root, _may_hold_notebooks, lambda path, error: None), ENTRIES_MAX)
        return next((each.path for each in entries if _is(each, place.inode)), None) if place.inode else None

    def _read(self, path: str) -> Any:
        return self._open(path)[1]

    def _open(self, path: str) -> tuple[dict[str, Any], Any]:
        """Jupyter's model of a file, and the notebook in it."""
        model = self.contents.get(path, content=True, type="file", format="text", require_hash=True)
        notebook: Any = nbformat.reads(model["content"], as_version=4)
        return model, notebook

    def _os_path(self, path: str) -> str:
        return str(self.contents._get_os_path(path.strip("/")))

    def _write_elsewhere(self, path: str, runs: list[Run], now: datetime) -> Path:
        self.elsewhere.mkdir(mode=0o700, exist_ok=True)
        file = self.elsewhere / Path(_copy_s_path(path, now)).name
        told = f"Cells of {path}, which was deleted while they ran, and what they put out."
        with replacing(file) as opened:
            json.dump(copy_of(None, runs, told), opened)
        return file


def _copy_s_path(path: str, now: datetime) -> str:
    return f"{path.strip('/').removesuffix(ENDING)}.outputs-{now:%Y-%m-%d-%H%M%S}{ENDING}"


def _may_hold_notebooks(entry: Entry) -> bool:
    is_folder = stat.S_ISDIR(entry.status.st_mode)
    return not entry.name.startswith(".") if is_folder else entry.name.endswith(ENDING)


def _is(entry: Entry, inode: tuple[int, int] | None) -> bool:
    return stat.S_ISREG(entry.status.st_mode) and (entry.status.st_dev, entry.status.st_ino) == inode


def _without_trust(cells: Iterable[Any]) -> list[Any]:
    return [
        {**cell, "metadata": {name: value for name, value in cell["metadata"].items() if name != "trusted"}}
        for cell in cells
    ]
