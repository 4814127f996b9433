"""A name that is one thing at one moment and another at the next, for whatever looks at it and then acts on it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What is put in the place of one of the two, or moves it away, doesn't end it.
SWAP = """
import contextlib, ctypes, os, sys
place, link = sys.argv[1:]
target, libc, exchange = os.readlink(link), ctypes.CDLL(None), 2
print("swapping", flush=True)
while True:
    if libc.renameat2(-100, place.encode(), -100, link.encode(), exchange):
        with contextlib.suppress(OSError):
            os.symlink(target, link)
        with contextlib.suppress(OSError):
            os.symlink(target, place)
"""


@contextmanager
def swapping(place: Path, link: Path) -> Iterator[None]:
    """Exchanges what stands at a place with a link, as fast as it goes, from before the block begins until its end."""
    command = [sys.executable, "-I", "-c", SWAP, str(place), str(link)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as swapper:
        assert swapper.stdout
        try:
            assert swapper.stdout.readline() == "swapping\n"
            yield
        finally:
            swapper.kill()
