"""Which runs may go into which cells: a cell that somebody changed meanwhile is never overwritten."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

from entrypoint.recorder.outputs import Output
from entrypoint.recorder.runs import Run

Notebook = Mapping[str, Any]
Cell = dict[str, Any]
# What plotly's and vega's parts of a page add to an output themselves, once they have drawn it.
STILL = "image/png"


def fingerprints(notebook: Notebook, runs: Iterable[Run]) -> dict[str, str]:
    """What the runs' cells are just now, by the runs' ids."""
    cells = ((run.id, cell_of(notebook, run)) for run in runs)
    return {run: _fingerprint(cell) for run, cell in cells if cell is not None}


def shown_in(notebook: Notebook, runs: Iterable[Run]) -> dict[str, str]:
    """Of runs that were saved, what their cells are now, by the runs' ids; not of those that a person has cleared."""
    cells = ((run, cell_of(notebook, run)) for run in runs if run.outputs.may_change)
    return {run.id: _fingerprint(cell) for run, cell in cells if cell is not None and _is_of(cell, run)}


def _is_of(cell: Cell, run: Run) -> bool:
    return (cell["execution_count"], len(cell["outputs"])) == (run.count, len(run.outputs.as_list()))


def merge(notebook: Notebook, runs: Iterable[Run]) -> list[Run]:
    """Puts each run into its cell, as a page would have; returns those whose cell isn't what it was."""
    refused = []
    for run in runs:
        cell = cell_of(notebook, run)
        if cell is None or (run.before is not None and _fingerprint(cell) != run.before):
            refused.append(run)
        else:
            cell["outputs"], cell["execution_count"] = _with_stills(run, cell), run.count
            # As the page holds of what ran in it.
            cell["metadata"]["trusted"] = True
    return refused


def _with_stills(run: Run, cell: Cell) -> list[Output]:
    """What a run has put out, with the stills that a page has saved of it already."""
    outputs = run.outputs.as_list()
    shown = cell.get("outputs", [])[: len(outputs)]
    return [old if old and _without_still(old, new) == new else new for new, old in zip_longest(outputs, shown)]


def _without_still(shown: Output, output: Output) -> Output:
    """What a cell holds of an output, without a still that isn't the kernel's."""
    if STILL in output.get("data", {}) or STILL not in shown.get("data", {}):
        return shown
    return {**shown, "data": {name: value for name, value in shown["data"].items() if name != STILL}}


def copy_of(notebook: Notebook | None, runs: Iterable[Run], told: str) -> dict[str, Any]:
    """A notebook of what could not go into its own: each cell as it was run, with what it put out.

    Args:
        told: What the first cell says.
    """
    cells: list[Cell] = [{"cell_type": "markdown", "id": "why", "metadata": {}, "source": told}]
    cells += [
        {
            "cell_type": "code",
            "id": run.cell,
            "metadata": {"trusted": True},
            "source": run.code,
            "outputs": run.outputs.as_list(),
            "execution_count": run.count,
        }
        for run in runs
    ]
    metadata = dict(notebook["metadata"]) if notebook else {}
    return {"metadata": metadata, "nbformat": 4, "nbformat_minor": 5, "cells": cells}


def cell_of(notebook: Notebook, run: Run) -> Cell | None:
    """The cell that was run, if it still holds the same code; files from before nbformat 4.5 know no ids."""
    cells = list(_code_cells(notebook))
    same = [cell for cell in cells if cell.get("id") == run.cell]
    if not same:
        same = [cell for cell in cells if "id" not in cell]
    found = [cell for cell in same if cell.get("source") == run.code]
    return found[0] if len(found) == 1 else None


def _code_cells(notebook: Notebook) -> Iterator[Cell]:
    yield from (cell for cell in notebook["cells"] if cell.get("cell_type") == "code")


def _fingerprint(cell: Cell) -> str:
    kept = [cell.get(name) for name in ("source", "outputs", "execution_count")]
    return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()
