"""What NVIDIA's own program says of the cards that notebooks may use; nothing is run where there is none."""

from __future__ import annotations

import shutil
import subprocess

from entrypoint.home.person import SYSTEM_PATH
from entrypoint.system.cards import CARDS_MAX, Card

# Of its driver, which the container toolkit brings into the container.
PROGRAM = "nvidia-smi"
QUERY = ("--query-gpu=name,memory.used,memory.total", "--format=csv,noheader,nounits")
SECONDS = 5.0
MEBIBYTE = 1 << 20


def read_cards(path: str = SYSTEM_PATH) -> tuple[Card, ...]:
    """The cards; none where the driver has no answer.

    Args:
        path: Where the program is looked for: not where a person's own are.
    """
    program = shutil.which(PROGRAM, path=path)
    if program is None:
        return ()
    try:
        told = subprocess.run([program, *QUERY], capture_output=True, text=True, check=True, timeout=SECONDS)
        return tuple(map(_card, told.stdout.splitlines()[:CARDS_MAX]))
    except (OSError, ValueError, subprocess.SubprocessError):
        return ()


def _card(line: str) -> Card:
    name, used, memory = line.rsplit(", ", 2)
    return Card(name.strip(), int(used) * MEBIBYTE, int(memory) * MEBIBYTE)
