"""The memory of the machine, as every container sees it."""

from __future__ import annotations

import re
from pathlib import Path


def machine_bytes(meminfo: Path = Path("/proc/meminfo")) -> int:
    """The memory of the whole machine."""
    found = re.search(r"^MemTotal:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def in_gib(count: int) -> str:
    return f"{count / 2**30:.1f} GiB"
