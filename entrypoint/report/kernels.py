"""What the kernels' server tells the door, none of which is believed further than numbers and names go."""

from __future__ import annotations

from collections.abc import Iterator

from entrypoint.files.errors import Problem
from entrypoint.files.places import Places
from entrypoint.proxy.asking import NoAnswerError, ask_kernels
from entrypoint.system.disk import Disk
from entrypoint.system.folder import another_folder, reason_nothing_is_saved
from entrypoint.system.kernels_report import BYTES_MAX, PATH, KernelsReport, judged

# Of a disk that does not answer, the kernels' server itself tells within less; it may have to start first.
SECONDS = 15.0
START, LOG = "docker compose up -d", "docker compose logs kernels"


class AbsentKernelsError(Exception):
    """Why the kernels' server tells nothing, as the end of a sentence."""


def ask_for_report(places: Places) -> KernelsReport:
    """What the kernels' server tells of itself.

    Raises:
        AbsentKernelsError: It tells nothing, or nothing that can be read.
    """
    try:
        return judged(ask_kernels(places.kernels_socket, PATH, SECONDS, BYTES_MAX))
    except (NoAnswerError, ValueError) as error:
        raise AbsentKernelsError(str(error)) from error


def absence(error: AbsentKernelsError) -> Problem:
    """What a person reads then."""
    return Problem(
        f"The kernels' server, where notebooks run, does not answer: {error}.",
        f"To start it: {START}   What it says: {LOG}",
    )


def disk_lines(told: KernelsReport, state: Disk | None) -> Iterator[str]:
    """How full each disk is; volumes that lie on one, as most do, in one line."""
    places = {"the notebooks' folder": told.folder_disk, "home": told.home_disk, "state": state}
    on = dict[str, list[str]]()
    for name, disk in places.items():
        if disk:
            on.setdefault(str(disk), []).append(name)
    yield from (f"{disk}: {', '.join(names)}" for disk, names in on.items())


def kernels_warnings(told: KernelsReport, host_folder: str) -> Iterator[str]:
    """What is amiss, with what to do about it.

    Args:
        host_folder: What the door's own settings call the notebooks' folder: a line for the host must not hold what
            a notebook has written.
    """
    if told.folder is None:
        yield f"The disk of the notebooks' folder {host_folder} does not answer.\nOn the host: ls '{host_folder}'"
    else:
        yield from filter(None, [reason_nothing_is_saved(told.folder, host_folder)])
        if told.folder.is_another:
            yield str(another_folder(host_folder))
    yield from (f"The kernels' server says: {line}" for line in told.home)
