"""Where environments and packages lie, and which channels are asked: conda's own files and variables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import yaml

ROOT = Path("/opt/conda")


class CondaError(Exception):
    """Told in one line, with exit status 1."""


def _files() -> list[Path]:
    system = sorted(Path("/etc/conda/condarc.d").glob("*.yml"))
    return [Path("/etc/conda/.condarc"), *system, ROOT / ".condarc", Path("~/.condarc").expanduser()]


def read_config() -> dict[str, Any]:
    """conda's settings, later files first in rank."""
    settings: dict[str, Any] = {}
    for file in _files():
        if file.is_file():
            settings |= yaml.safe_load(file.read_text()) or {}
    return settings


CONFIG = read_config()


def _folders(name: str, default: list[str]) -> list[Path]:
    from_environment = os.environ.get(f"CONDA_{name.upper()}", "")
    texts = from_environment.split(os.pathsep) if from_environment else CONFIG.get(name, default)
    return [Path(os.path.expandvars(text)).expanduser() for text in texts]


def environment_folders() -> list[Path]:
    return _folders("envs_dirs", [f"{ROOT}/envs", "~/.conda/envs"])


def package_folders() -> list[Path]:
    return _folders("pkgs_dirs", [f"{ROOT}/pkgs", "~/.conda/pkgs"])


def channel_urls(asked: list[str] | None) -> list[str]:
    alias = CONFIG.get("channel_alias", "file:///opt/channels").rstrip("/")
    names = [name for name in asked or CONFIG.get("channels", ["conda-forge"]) if name != "nodefaults"]
    return [name if "://" in name else f"{alias}/{name}" for name in names]


def default_packages() -> list[str]:
    """What every new environment gets besides what it is asked to hold."""
    return list(CONFIG.get("create_default_packages", []))


def is_base_activated() -> bool:
    """Whether a shell that `conda init` has set up starts in the base environment."""
    return bool(CONFIG.get("auto_activate", CONFIG.get("auto_activate_base", True)))


def is_writable(path: Path) -> bool:
    existing = next(place for place in (path, *path.parents) if place.exists())
    return os.access(existing, os.W_OK)


def first_writable(folders: list[Path]) -> Path:
    for folder in folders:
        if is_writable(folder):
            return folder
    raise CondaError(f"NotWritableError: none of {', '.join(map(str, folders))} can be written to")
