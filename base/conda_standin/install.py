"""Solves and installs, by rattler."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path
from typing import Any

import rattler
import yaml
from rattler.exceptions import GatewayError, InvalidMatchSpecError, SolverError

from conda_standin.config import CondaError, channel_urls, first_writable, package_folders
from conda_standin.environments import records, refuse_unwritable, register

ONLY_THESE = "This conda is a stand-in whose channel holds a few packages only; pip may have the one that you want."


def install(prefix: Path, specs: list[str], channels: list[str] | None) -> None:
    """Brings an environment to hold the specs besides what it was asked to hold before."""
    if any("://" in spec for spec in specs):
        raise CondaError("NotImplementedError: explicit lock files need the real conda")
    refuse_unwritable(prefix)
    cache = first_writable(package_folders())
    cache.mkdir(parents=True, exist_ok=True)
    try:
        asyncio.run(_solve_and_install(prefix, specs, channel_urls(channels), cache))
    except SolverError as error:
        raise CondaError(f"LibMambaUnsatisfiableError: {str(error).strip()}\n{ONLY_THESE}") from error
    except InvalidMatchSpecError as error:
        raise CondaError(f"InvalidMatchSpec: {error}") from error
    except GatewayError as error:
        raise CondaError(f"UnavailableInvalidChannel: {error}") from error
    meta = prefix / "conda-meta"
    meta.mkdir(parents=True, exist_ok=True)
    (meta / "history").touch()
    # rattler's are their owner's alone; everybody may list what conda has installed.
    for file in meta.iterdir():
        file.chmod(0o644)
    register(prefix)


async def _solve_and_install(prefix: Path, specs: list[str], channels: list[str], cache: Path) -> None:
    installed = records(prefix)
    asked = [*_asked_before(installed, specs), *specs]
    virtual = rattler.VirtualPackage.detect()
    wanted = await rattler.solve(channels, asked, locked_packages=installed, virtual_packages=virtual)
    # py-rattler 0.28.0 takes the inner objects here.
    requested = [rattler.MatchSpec(spec)._match_spec for spec in asked]
    await rattler.install(
        wanted, prefix, installed_packages=installed or None, requested_specs=requested, show_progress=False,
        cache_dir=cache,
    )  # fmt: skip


def _asked_before(installed: list[rattler.PrefixRecord], specs: list[str]) -> list[str]:
    """What was asked for by name earlier: whatever the solution lacks is removed, so that it has to be asked again."""
    renewed = {rattler.MatchSpec(spec).name.normalized for spec in specs}
    return [spec for record in installed if record.name.normalized not in renewed for spec in record.requested_specs]


def install_file(prefix: Path, file: Path) -> None:
    """Makes an environment from an environment.yml, its pip part included."""
    content = read_file(file)
    dependencies = content.get("dependencies", [])
    install(prefix, [entry for entry in dependencies if isinstance(entry, str)], content.get("channels"))
    by_pip = [name for entry in dependencies if isinstance(entry, dict) for name in entry.get("pip", [])]
    if by_pip:
        pip = [str(prefix / "bin" / "python"), "-m", "pip", "install", "-q", *by_pip]
        if subprocess.run(pip, check=False).returncode:
            raise CondaError("CondaEnvException: Pip failed")


def read_file(file: Path) -> dict[str, Any]:
    """An environment.yml."""
    if not file.is_file():
        raise CondaError(f"EnvironmentFileNotFound: {file} not found")
    content = yaml.safe_load(file.read_text())
    if not isinstance(content, dict):
        raise CondaError(f"EnvironmentFileNotValid: {file} names no dependencies")
    return content
