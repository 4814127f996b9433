"""CPython as conda packages: the interpreter, and the tag that compiled packages depend on."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from pathlib import Path

from channel.package import File, Package

VERSION = platform.python_version()
MINOR = ".".join(VERSION.split(".")[:2])
TAG = f"cp{MINOR.replace('.', '')}"


def python_packages(tree: Path) -> Iterator[Package]:
    abi = f"python_abi {MINOR}.* *_{TAG}"
    yield Package("python", VERSION, f"0_{TAG}", [abi], dict(_files(tree)))
    yield Package("python_abi", MINOR, f"0_{TAG}", [], noarch="generic")


def _files(tree: Path) -> Iterator[tuple[str, File]]:
    for path in sorted(tree.rglob("*")):
        name = path.relative_to(tree).as_posix()
        if "__pycache__" in name:
            continue
        if path.is_symlink():
            yield name, File(str(path.readlink()), 0o777)
        elif path.is_file():
            yield name, File(path.read_bytes(), path.stat().st_mode & 0o777)
