"""What holds the container's memory, so that a person knows what to delete or to shut down."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


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
    return Holders(dict(_files_in_memory(proc)), of_kernels, held.total())


def bytes_by_session(proc: Path) -> Counter[int]:
    """The memory that is each session's alone (proc_pid_status(5), RssAnon); a kernel leads one, with its children."""
    held = Counter[int]()
    for process in proc.glob("[0-9]*"):
        try:
            # The program's name, in parentheses, may hold anything.
            session = int((process / "stat").read_text(errors="replace").rpartition(")")[2].split()[3])
            found = re.search(r"^RssAnon:\s+(\d+) kB", (process / "status").read_text(errors="replace"), re.MULTILINE)
        except (OSError, ValueError, IndexError):
            continue
        held[session] += int(found[1]) * 1024 if found else 0
    return held


def _files_in_memory(proc: Path) -> Iterator[tuple[str, int]]:
    """Every folder that lies in memory and may be written to, and what its files take."""
    for line in (proc / "self/mountinfo").read_text().splitlines():
        # proc_pid_mountinfo(5); the folder's path has no space in it here.
        place, _, kind = line.partition(" - ")
        folder = place.split()[4]
        if kind.startswith("tmpfs ") and os.access(folder, os.W_OK):
            filled = os.statvfs(folder)
            yield folder, (filled.f_blocks - filled.f_bfree) * filled.f_frsize
