"""Environments: which there are, where a named one lies, what is in it."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import rattler

from conda_standin.config import ROOT, CondaError, environment_folders, first_writable, is_writable

REGISTRY = Path("~/.conda/environments.txt")


def find_prefix(name: str | None, prefix: str | None) -> Path:
    """The folder of an environment that exists: by prefix, by name, or the active one."""
    if prefix or (name and "/" in name):
        return Path(prefix or str(name)).expanduser().absolute()
    if not name:
        return Path(os.environ.get("CONDA_PREFIX", ROOT))
    for path in all_prefixes():
        if path.name == name or (name == "base" and path == ROOT):
            return path
    raise CondaError(f"EnvironmentLocationNotFound: there is no environment '{name}'")


def new_prefix(name: str | None, prefix: str | None) -> Path:
    if prefix:
        return Path(prefix).expanduser().absolute()
    if not name:
        raise CondaError("ArgumentError: give the new environment a name: -n NAME")
    return first_writable(environment_folders()) / name


def all_prefixes() -> list[Path]:
    named = [path for folder in environment_folders() if folder.is_dir() for path in sorted(folder.iterdir())]
    registry = REGISTRY.expanduser()
    registered = map(Path, filter(None, registry.read_text().splitlines())) if registry.exists() else []
    return [path for path in dict.fromkeys([ROOT, *named, *registered]) if (path / "conda-meta").is_dir()]


def register(prefix: Path) -> None:
    """Adds an environment to the person's own list, as conda does it."""
    if prefix == ROOT or os.getuid() == 0:
        return
    registry = REGISTRY.expanduser()
    registry.parent.mkdir(exist_ok=True)
    lines = registry.read_text().splitlines() if registry.exists() else []
    if str(prefix) not in lines:
        registry.write_text("".join(f"{line}\n" for line in (*lines, prefix)))


def records(prefix: Path) -> list[rattler.PrefixRecord]:
    return [rattler.PrefixRecord.from_path(path) for path in sorted((prefix / "conda-meta").glob("*.json"))]


def refuse_unwritable(prefix: Path) -> None:
    """Stops before a change that can't or must not be made, as conda does: a frozen environment says why itself."""
    frozen = prefix / "conda-meta" / "frozen"
    if frozen.exists():
        message = json.loads(frozen.read_text() or "{}").get("message", "")
        raise CondaError(f"EnvironmentIsFrozenError: {prefix} is frozen. {message}")
    if not is_writable(prefix):
        raise CondaError(f"EnvironmentNotWritableError: the current user can't write to {prefix}")


def remove(prefix: Path) -> None:
    if prefix == ROOT:
        raise CondaError("OperationNotAllowed: the base environment can't be removed")
    refuse_unwritable(prefix)
    shutil.rmtree(prefix)
