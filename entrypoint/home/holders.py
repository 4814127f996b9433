"""What holds the container's memory, so that a person knows what to delete or to shut down."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# Of processor time, in a second (proc_pid_stat(5)).
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Holders:
    """Bytes of memory: in files by their folder, in kernels by their name, and in other programs."""

    files: Mapping[str, int]
    kernels: Mapping[str, int]
    others: int = 0

    @property
    def total(self) -> int:
        return sum(self.files.values()) + sum(self.kernels.values()) + self.others


def find_holders(kernels: Iterable[tuple[int, str]], proc: Path = Path("/proc")) -> Holders:
    """Who holds how much now.

    Args:
        kernels: The process and the name of each that runs.
    """
    held, own = bytes_by_session(proc), os.getsid(0)
    of_kernels = {f"'{name}' (process {pid})": held.pop(pid, 0) for pid, name in kernels}
    held.pop(own, None)
    return Holders(dict(files_in_memory(proc)), of_kernels, held.total())


def bytes_by_session(proc: Path) -> Counter[int]:
    """The memory that is each session's alone; a kernel leads one, with its children."""
    return Counter({session: used.memory for session, used in usage_by_session(proc).items()})


@dataclass(frozen=True)
class Usage:
    """What processes use.

    Args:
        memory: Bytes that are theirs alone (proc_pid_status(5), RssAnon).
        cpu_seconds: Since each has begun; what had ended before is not counted.
    """

    memory: int = 0
    cpu_seconds: float = 0.0

    def __add__(self, other: Usage) -> Usage:
        return Usage(self.memory + other.memory, self.cpu_seconds + other.cpu_seconds)


def usage_by_session(proc: Path) -> dict[int, Usage]:
    used: dict[int, Usage] = {}
    for process in proc.glob("[0-9]*"):
        try:
            stat = _stat(process)
            found = re.search(r"^RssAnon:\s+(\d+) kB", (process / "status").read_text(errors="replace"), re.MULTILINE)
        except (OSError, ValueError, IndexError):
            continue
        usage = Usage(int(found[1]) * 1024 if found else 0, stat.cpu_seconds)
        used[stat.session] = used.get(stat.session, Usage()) + usage
    return used


def programs_of(leader: int, proc: Path = Path("/proc")) -> list[str]:
    """The names of what runs in a session besides the process that leads it."""
    names = set[str]()
    for process in proc.glob("[0-9]*"):
        try:
            stat = _stat(process)
        except (OSError, ValueError, IndexError):
            continue
        if stat.session == leader and process.name != str(leader):
            names.add(stat.name)
    return sorted(names)


@dataclass(frozen=True)
class _Stat:
    """A process as proc_pid_stat(5) has it."""

    name: str
    session: int
    cpu_seconds: float


def _stat(process: Path) -> _Stat:
    # The program's name, in parentheses, may hold anything.
    before, _, after = (process / "stat").read_text(errors="replace").rpartition(")")
    fields = after.split()
    return _Stat(before.partition("(")[2], int(fields[3]), (int(fields[11]) + int(fields[12])) / TICKS)


def files_in_memory(proc: Path) -> Iterator[tuple[str, int]]:
    """Every folder that lies in memory and may be written to, and what its files take."""
    for line in (proc / "self/mountinfo").read_text().splitlines():
        # proc_pid_mountinfo(5); the folder's path has no space in it here.
        place, _, kind = line.partition(" - ")
        folder = place.split()[4]
        if kind.startswith("tmpfs ") and os.access(folder, os.W_OK):
            filled = os.statvfs(folder)
            yield folder, (filled.f_blocks - filled.f_bfree) * filled.f_frsize
