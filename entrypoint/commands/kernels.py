"""`workhorse kernels`: what would end with the service of what runs, before somebody ends it."""

from __future__ import annotations

import argparse
from collections.abc import Iterator

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.report.kernels import AbsentKernelsError, absence, ask_for_report
from entrypoint.system.kernels_report import SHOWN_KERNELS, KernelsReport, kernel_line

# Nothing computes there any more.
AT_REST = {"idle", "dead"}
SOMETHING_IS_BUSY = 1


def kernels(places: Places, _: argparse.Namespace) -> int:
    """Prints what runs; exit status 1 if any of it is busy.

    Raises:
        WorkhorseError: It is not known what runs.
    """
    try:
        told = ask_for_report(places)
    except AbsentKernelsError as error:
        raise WorkhorseError([absence(error)]) from error
    print("\n".join(lines(told)))
    return SOMETHING_IS_BUSY if is_busy(told) else 0


def is_busy(told: KernelsReport) -> bool:
    """Whether anything computes. A kernel whose state is not known may."""
    return bool(told.terminals) or not all(kernel.state in AT_REST for kernel in told.kernels)


def lines(told: KernelsReport) -> Iterator[str]:
    if not (told.kernels or told.terminals):
        yield "No kernel runs, and no program in a terminal."
        return
    # A sort keeps the order of what is equal.
    ordered = sorted(told.kernels, key=lambda kernel: kernel.state in AT_REST)
    yield from map(kernel_line, ordered[:SHOWN_KERNELS])
    if (more := len(ordered) - SHOWN_KERNELS) > 0:
        yield f"and {more} more kernels"
    yield from told.terminals
