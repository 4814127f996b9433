"""How much memory the container may take, and how often a process in it was killed for wanting more."""

from __future__ import annotations

import math
import re
import signal
from collections.abc import Iterator
from pathlib import Path

from entrypoint.home.holders import Holders
from entrypoint.system.memory import in_gib

CGROUP = Path("/sys/fs/cgroup")
# Control groups of version 2 and of version 1 (kernel.org, admin-guide/cgroup-v2 and cgroup-v1/memory).
LIMIT_FILES = ("memory.max", "memory/memory.limit_in_bytes")
KILL_FILES = ("memory.events", "memory/memory.oom_control")
UNLIMITED = 2**60
# A process is counted when it is chosen, and one that holds much memory takes seconds to end.
ENDING_SECONDS = 15
# What holds less than this part of the whole explains nothing.
WORTH_TELLING = 1 / 16


def limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """The container's limit; None where there is none but the machine's own."""
    text = _read_first(cgroup, LIMIT_FILES).strip()
    limit = int(text) if text.isdigit() else UNLIMITED
    return limit if limit < UNLIMITED else None


def kill_count(cgroup: Path = CGROUP) -> int:
    """Processes of the container that were killed for memory since it was made."""
    found = re.search(r"^oom_kill (\d+)$", _read_first(cgroup, KILL_FILES), re.MULTILINE)
    return int(found[1]) if found else 0


class KillWatch:
    """Tells whether a process was killed for memory, though the container's count names nobody."""

    def __init__(self, kills: int) -> None:
        self.kills, self.rose_at = kills, -math.inf

    def note(self, kills: int, now: float) -> None:
        """Takes notice of the count, at a time in seconds."""
        if kills > self.kills:
            self.kills, self.rose_at = kills, now

    def explains(self, exit_status: int | None, now: float) -> bool:
        """Whether a process that ended so, and now, was one of those counted: they end by SIGKILL alone."""
        return exit_status == -signal.SIGKILL and now - self.rose_at <= ENDING_SECONDS


def explanation(holders: Holders, limit: int | None, machine: int) -> str:
    """What a person reads whose kernel was killed for memory.

    Args:
        holders: What held the memory just after.
        limit: The container's, in bytes, if there is one.
        machine: The machine's, in bytes.
    """
    whole = limit or machine
    bound = (
        f"all notebooks together may take {in_gib(whole)} (MEMORY_LIMIT in .env)"
        if limit
        else f"this machine has {in_gib(whole)}"
    )
    reason = "most of which was taken already" if holders.total > whole / 2 else "and this kernel wanted more"
    again = "It starts anew, without its variables; the notebook is as it was."
    return " ".join([f"Killed for memory: {bound}, {reason}. {again}", *advice(holders, whole)])


def advice(holders: Holders, whole: int) -> Iterator[str]:
    """A sentence for each kind that holds a good part of the whole, with what to do about it."""
    least = whole * WORTH_TELLING
    for folder, held in holders.files.items():
        if held >= least:
            yield f"Files in {folder} hold {in_gib(held)} of it, until they are deleted: ls -l {folder}"
    kernels = {name: held for name, held in holders.kernels.items() if held >= least}
    for name in sorted(kernels, key=lambda name: -kernels[name]):
        yield f"The kernel {name} holds {in_gib(kernels[name])}, until it is shut down."
    if holders.others >= least:
        yield f"Terminals and other programs hold {in_gib(holders.others)}: ps axo pid,rss,args --sort=-rss"


def _read_first(folder: Path, names: tuple[str, ...]) -> str:
    for name in names:
        try:
            return (folder / name).read_text()
        except OSError:
            continue
    return ""
