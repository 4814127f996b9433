"""Folders that are deeper than a path can be long, as a program makes them by descriptor."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def deep_folder(path: Path, levels: int = 1000, name: str = "x" * 20) -> Iterator[Path]:
    """Makes one, and takes it away again: neither shutil nor pytest can."""
    path.mkdir(exist_ok=True)
    folder = os.open(path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=folder)
        below = os.open(name, os.O_RDONLY, dir_fd=folder)
        os.close(folder)
        folder = below
    os.close(folder)
    try:
        yield path
    finally:
        subprocess.run(["rm", "-rf", path / name], check=True)
