"""How much memory the container may take, and how often a process in it was killed for wanting more."""

from __future__ import annotations

import math
import re
import signal
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
# Control groups of version 2 and of version 1 (kernel.org, admin-guide/cgroup-v2 and cgroup-v1/memory).
LIMIT_FILES = ("memory.max", "memory/memory.limit_in_bytes")
KILL_FILES = ("memory.events", "memory/memory.oom_control")
UNLIMITED = 2**60
# A process is counted when it is chosen, and one that holds much memory takes seconds to end.
ENDING_SECONDS = 15


def limit_bytes(cgroup: Path = CGROUP) -> int | None:
    """The container's limit; None where there is none but the machine's own."""
    text = _read_first(cgroup, LIMIT_FILES).strip()
    limit = int(text) if text.isdigit() else UNLIMITED
    return limit if limit < UNLIMITED else None


def machine_bytes(meminfo: Path = Path("/proc/meminfo")) -> int:
    """The memory of the whole machine."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


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


def in_gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"


def explanation() -> str:
    """What a person reads whose kernel was killed for memory."""
    if limit := limit_bytes():
        return (
            f"Killed for memory: all notebooks together may take {in_gib(limit)} (MEMORY_LIMIT in .env), and this "
            "kernel wanted more. It starts anew, without its variables; the notebook is as it was."
        )
    return (
        f"Killed for memory: this machine has {in_gib(machine_bytes())}, and this kernel wanted more than was left. "
        "It starts anew, without its variables; the notebook is as it was."
    )


def _read_first(folder: Path, names: tuple[str, ...]) -> str:
    for name in names:
        try:
            return (folder / name).read_text()
        except OSError:
            continue
    return ""
