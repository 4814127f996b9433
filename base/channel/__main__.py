"""python -m channel CHANNEL_FOLDER PYTHON_TREE WHEELS_FOLDER"""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

from rattler import index

from channel.package import SUBDIR
from channel.python_tree import python_packages
from channel.wheel import wheel_package


def main(channel: Path, tree: Path, wheels: Path) -> None:
    for package in python_packages(tree):
        package.write(channel)
    for wheel in sorted(wheels.glob("*.whl")):
        wheel_package(wheel).write(channel)
    for subdir in ("noarch", SUBDIR):
        (channel / subdir).mkdir(exist_ok=True)
    asyncio.run(index.index_fs(channel.resolve(), write_zst=True, force=True))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
    # py-rattler 0.28.0 may crash while the interpreter ends, when all work is done.
    sys.stdout.flush()
    os._exit(0)
