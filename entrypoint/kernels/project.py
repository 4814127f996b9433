"""`workhorse kernel`: the environment that a project's files describe, made here, becomes the project's kernel."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import yaml

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.untrusted import read_linked, shown
from entrypoint.home.home import DEFAULT_ENVIRONMENT
from entrypoint.home.kernel_files import VENV_NAMES

CONDA = "/opt/conda/bin/conda"
CONDA_FILES = ("environment.yml", "environment.yaml")
IPYKERNEL = "ipykernel"

Command = list[str]
Run = Callable[[Command], None]


@dataclass(frozen=True)
class Plan:
    """What makes a project's environment, or brings it up to date.

    Args:
        source: The file that describes it.
        prefix: Where it lies.
        commands: To be run in the project's folder, one after the other.
    """

    source: str
    prefix: Path
    commands: tuple[Command, ...]


def plan(folder: Path, home: Path) -> Plan:
    """What is to be done for a folder, by the first of its files that says so.

    Raises:
        WorkhorseError: There is none.
    """
    for name in CONDA_FILES:
        if (folder / name).is_file():
            return _conda_plan(folder, name, home)
    for name, plan_of in (("uv.lock", _uv), ("requirements.txt", _requirements), ("pyproject.toml", _package)):
        if (folder / name).is_file():
            return _venv_plan(folder, name, plan_of)
    wanted = ", ".join([*CONDA_FILES[:1], "uv.lock", "requirements.txt", "pyproject.toml"])
    raise WorkhorseError.of(
        f"{shown(str(folder))} holds no file that describes an environment ({wanted}).",
        f"To make one by name: conda create -n {slug(folder.name)} python {IPYKERNEL}",
    )


def _conda_plan(folder: Path, name: str, home: Path) -> Plan:
    """A named environment: conda's are large, and a project's folder may be on a disk that is shared."""
    environment = slug(_name_in(folder / name) or folder.resolve().name)
    prefix = home / ".conda" / "envs" / environment
    made = (prefix / "conda-meta").is_dir()
    make = ["env", "update", "-n", environment] if made else ["env", "create", "-y", "-n", environment]
    return Plan(name, prefix, ([CONDA, *make, "-f", name],))


def _name_in(file: Path) -> str | None:
    try:
        content = yaml.safe_load(read_linked(file))
    # Conda itself says what is wrong with the file.
    except (OSError, ValueError, yaml.YAMLError, RecursionError):
        return None
    name = content.get("name") if isinstance(content, dict) else None
    return name if isinstance(name, str) else None


def _venv_plan(folder: Path, name: str, plan_of: Callable[[str], Iterator[Command]]) -> Plan:
    prefix = venv_for(folder)
    python = str(prefix / "bin" / "python")
    make = [] if _runs(prefix) else [[str(DEFAULT_ENVIRONMENT / "bin" / "python"), "-m", "venv", str(prefix)]]
    return Plan(name, prefix, (*make, *plan_of(python)))


def venv_for(folder: Path) -> Path:
    """The project's own environment; where the host has made that, whose Python isn't here, another beside it.

    Raises:
        WorkhorseError: The host has made all that would be found.
    """
    names = [folder / name for name in VENV_NAMES]
    found = next(filter(_runs, names), None) or next((each for each in names if not os.path.lexists(each)), None)
    if found is None:
        raise WorkhorseError.of(
            f"{' and '.join(VENV_NAMES)} in {shown(str(folder))} were made elsewhere: their Python isn't here.",
            f"Rename one that you don't need, such as {VENV_NAMES[-1]}",
        )
    return found


def _runs(prefix: Path) -> bool:
    return os.access(prefix / "bin" / "python", os.X_OK)


def _pip(python: str, *words: str) -> Command:
    return [python, "-m", "pip", "install", "--disable-pip-version-check", *words]


def _uv(python: str) -> Iterator[Command]:
    yield _pip(python, "uv")
    # What isn't in the lock, such as pip, stays; and the lock stays as it is.
    yield [python, "-m", "uv", "sync", "--active", "--frozen", "--inexact"]


def _requirements(python: str) -> Iterator[Command]:
    yield _pip(python, "-r", "requirements.txt")


def _package(python: str) -> Iterator[Command]:
    yield _pip(python, "-e", ".")


def slug(text: str) -> str:
    """A name that conda takes."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-") or "project"


def make_kernel(folder: Path, home: Path, environ: Mapping[str, str]) -> str:
    """Makes the environment and its kernel, with what the programs say on the terminal; returns what has come of it.

    Raises:
        WorkhorseError: There is nothing to make it from, or one of the programs has failed.
    """
    todo = plan(folder, home)
    print(f"From {todo.source}: {shown(str(todo.prefix))}", flush=True)
    variables = {**environ, "VIRTUAL_ENV": str(todo.prefix)}
    for command in todo.commands:
        _run(command, folder, variables)
    if not any(todo.prefix.glob("share/jupyter/kernels/*/kernel.json")):
        is_conda = (todo.prefix / "conda-meta").is_dir()
        install = [CONDA, "install", "-y", "-p", str(todo.prefix), IPYKERNEL]
        _run(install if is_conda else _pip(str(todo.prefix / "bin" / "python"), IPYKERNEL), folder, variables)
    return "Its kernel is in JupyterLab's launcher; an open one shows it within a minute."


def _run(command: Command, folder: Path, environ: Mapping[str, str]) -> None:
    try:
        status = subprocess.run(command, cwd=folder, env=environ, check=False).returncode
    except OSError as error:
        raise WorkhorseError.of(f"{command[0]} can't be run: {error.strerror}.", f"ls -l {command[0]}") from error
    if status:
        raise WorkhorseError.of(
            f"{' '.join(map(shown, command))} has failed, and says why above.",
            "What it made is kept; the same command goes on from there.",
        )


def main(arguments: list[str], home: Path, environ: Mapping[str, str]) -> int:
    """For the folder that is named, or the one that this runs in."""
    folder = Path(arguments[0] if arguments else ".").absolute()
    try:
        print(make_kernel(folder, home, environ))
    except WorkhorseError as error:
        print(error, file=sys.stderr)
        return 1
    return 0
