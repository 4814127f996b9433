"""Solves and installs, by rattler."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import rattler
import yaml

from conda_standin.config import CondaError, channel_urls, first_writable, package_folders
from conda_standin.environments import records, refuse_unwritable, register


def install(prefix: Path, specs: list[str], channels: list[str] | None) -> None:
    """Brings an environment to hold the specs besides what it holds already."""
    if any("://" in spec for spec in specs):
        raise CondaError("NotImplementedError: explicit lock files need the real conda")
    refuse_unwritable(prefix)
    cache = first_writable(package_folders())
    cache.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(_solve_and_install(prefix, specs, channel_urls(channels), cache))
    except rattler.exceptions.SolverError as error:
        raise CondaError(f"LibMambaUnsatisfiableError: {error}") from error
    (prefix / "conda-meta" / "history").touch()
    register(prefix)


async def _solve_and_install(prefix: Path, specs: list[str], channels: list[str], cache: Path) -> None:
    installed = records(prefix)
    virtual = rattler.VirtualPackage.detect()
    wanted = await rattler.solve(channels, specs, locked_packages=installed, virtual_packages=virtual)
    # py-rattler 0.28.0 takes the inner objects here.
    requested = [rattler.MatchSpec(spec)._match_spec for spec in specs]
    await rattler.install(
        wanted, prefix, installed_packages=installed or None, requested_specs=requested, show_progress=False,
        cache_dir=cache,
    )  # fmt: skip


def install_file(prefix: Path, file: Path) -> None:
    """Makes an environment from an environment.yml, its pip part included."""
    content = yaml.safe_load(file.read_text())
    dependencies = content["dependencies"]
    install(prefix, [entry for entry in dependencies if isinstance(entry, str)], content.get("channels"))
    by_pip = [name for entry in dependencies if isinstance(entry, dict) for name in entry.get("pip", [])]
    if by_pip:
        subprocess.run([prefix / "bin" / "python", "-m", "pip", "install", "-q", *by_pip], check=True)


def name_in(file: Path) -> str | None:
    name: str | None = yaml.safe_load(file.read_text()).get("name")
    return name
