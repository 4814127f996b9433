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
    path = _place(name, prefix)
    if path is None or not is_environment(path):
        raise CondaError(f"EnvironmentLocationNotFound: there is no environment '{path or name}'")
    return path


def _place(name: str | None, prefix: str | None) -> Path | None:
    if prefix or (name and "/" in name):
        return Path(prefix or str(name)).expanduser().absolute()
    if not name and os.environ.get("CONDA_PREFIX"):
        return Path(os.environ["CONDA_PREFIX"])
    if not name:
        # As conda takes it (conda 26.7, base/context.py, default_prefix), also where it is empty.
        name = os.environ.get("CONDA_DEFAULT_ENV", "base")
        if not name:
            return environment_folders()[0]
    named = (folder / name for folder in environment_folders())
    return ROOT if name == "base" else next(filter(is_environment, named), None)


def new_prefix(name: str | None, prefix: str | None) -> Path:
    """The folder of an environment that doesn't exist yet."""
    if not prefix and not name:
        raise CondaError("ArgumentError: give the new environment a name: -n NAME")
    path = Path(prefix).expanduser().absolute() if prefix else first_writable(environment_folders()) / str(name)
    if is_environment(path):
        raise CondaError(f"CondaValueError: prefix already exists: {path}")
    return path


def is_environment(path: Path) -> bool:
    return (path / "conda-meta").is_dir()


def name_of(prefix: Path) -> str:
    """As conda shows it: an environment that lies elsewhere has no name."""
    if prefix == ROOT:
        return "base"
    return prefix.name if prefix.parent in environment_folders() else ""


def all_prefixes() -> list[Path]:
    named = [path for folder in environment_folders() if folder.is_dir() for path in sorted(folder.iterdir())]
    return [path for path in dict.fromkeys([ROOT, *named, *_registered()]) if is_environment(path)]


def _registered() -> list[Path]:
    registry = REGISTRY.expanduser()
    return [Path(line) for line in registry.read_text().splitlines() if line] if registry.exists() else []


def register(prefix: Path) -> None:
    """Adds an environment to the person's own list, as conda does it."""
    if prefix == ROOT or os.getuid() == 0:
        return
    if prefix not in _registered():
        _write_registry([*_registered(), prefix])


def _write_registry(prefixes: list[Path]) -> None:
    registry = REGISTRY.expanduser()
    registry.parent.mkdir(exist_ok=True)
    registry.write_text("".join(f"{prefix}\n" for prefix in prefixes))


def records(prefix: Path) -> list[rattler.PrefixRecord]:
    return [rattler.PrefixRecord.from_path(path) for path in sorted((prefix / "conda-meta").glob("*.json"))]


def refuse_unwritable(prefix: Path) -> None:
    """Stops before a change that can't or must not be made, in conda's order: a frozen environment says why itself."""
    if not is_writable(prefix):
        raise CondaError(f"EnvironmentNotWritableError: the current user can't write to {prefix}")
    frozen = prefix / "conda-meta" / "frozen"
    if frozen.exists():
        message = json.loads(frozen.read_text() or "{}").get("message", "")
        raise CondaError(f"EnvironmentIsFrozenError: {prefix} is frozen. {message}")


def remove(prefix: Path) -> None:
    if prefix == ROOT:
        raise CondaError("OperationNotAllowed: the base environment can't be removed")
    refuse_unwritable(prefix)
    shutil.rmtree(prefix)
    if prefix in _registered():
        _write_registry([path for path in _registered() if path != prefix])
