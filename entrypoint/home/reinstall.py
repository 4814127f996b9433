"""Installs anew what pip had installed for another Python: all at once, and what then fails one by one."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from entrypoint.files.confined import confined
from entrypoint.files.untrusted import shown
from entrypoint.home.lacking import (
    Package,
    find_lacking,
    former_packages,
    list_of,
    named_python_of,
    read_list,
    write_list,
)

# Reading what ten thousand packages say of themselves, and building one of them.
LOOK_SECONDS, PIP_SECONDS = 120.0, 3600.0
# pip's and urllib3's own words.
UNREACHABLE = re.compile("Max retries exceeded|connection broken by|Temporary failure in name resolution")

# Installs a text of requirements; returns why not.
Pip = Callable[[str], str | None]


class NoIndexError(Exception):
    """Nothing can be installed now."""


def reinstall(venv: Path, install: Pip) -> Iterator[str]:
    """Does it, as far as it can be done, and says so line by line.

    Args:
        install: Installs requirements, a line each, into the environment; returns why it couldn't.
    """
    packages = wanted(venv)
    if not packages:
        return
    python = named_python_of(venv)
    yield f"{counted(packages)} that you had installed for another Python: being installed for {python} now."
    write_list(venv, not_installed(packages, install))
    lacking = read_list(venv)
    if len(lacking) < len(packages):
        yield f"{counted(packages[len(lacking) :])} installed for {python}. {_what_is_kept(venv)}"
    for each in lacking:
        yield f"{shown(each.name)} is not there for {python}: {each.reason}"
    if lacking:
        yield f"To try again, in a terminal of JupyterLab: pip install -r ~/{venv.name}/{list_of(venv).name}"


def counted(packages: list[Package]) -> str:
    return f"{len(packages)} package{'s' * (len(packages) != 1)}"


def wanted(venv: Path) -> list[Package]:
    """What the list says; the list is made once for each Python, so that what a person uninstalls stays so."""
    if not list_of(venv).exists():
        # What it reads may be a trap.
        told = confined(lambda tell: json.dumps([asdict(each) for each in find_lacking(venv)]).encode(), LOOK_SECONDS)
        write_list(venv, [Package(**{**each, "modules": tuple(each["modules"])}) for each in json.loads(told)])
    return read_list(venv)


def not_installed(packages: list[Package], install: Pip) -> list[Package]:
    """Those that can't be had, and why not."""
    try:
        if install("".join(f"{each.requirement}\n" for each in packages)) is None:
            return []
        tried = [replace(each, reason=_reason_against(each, install) or "") for each in packages]
        return [each for each in tried if each.reason]
    except NoIndexError:
        return [replace(each, reason="no package index answers") for each in packages]


def _reason_against(package: Package, install: Pip) -> str | None:
    reason = install(f"{package.requirement}\n")
    if reason and "==" in package.requirement:
        # No release of that version may be made for this Python.
        reason = install(f"{package.name}\n") and reason
    return reason


def _what_is_kept(venv: Path) -> str:
    folder = former_packages(venv)
    if folder is None:
        return ""
    former = f"~/{folder.parent.relative_to(venv.parent)}"
    return f"What they were is kept in {former}; to delete it: rm -r {former}"


def pip(venv: Path) -> Pip:
    """The environment's own pip, which raises NoIndexError where no index answers."""
    options = ["--no-input", "--disable-pip-version-check", "--prefer-binary", "--progress-bar", "off", "--quiet"]

    def install(requirements: str) -> str | None:
        with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
            file.write(requirements)
            file.flush()
            command = [str(venv / "bin" / "python"), "-m", "pip", "install", *options, "-r", file.name]
            try:
                result = subprocess.run(
                    command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                    timeout=PIP_SECONDS, check=False,
                )  # fmt: skip
            except subprocess.TimeoutExpired:
                return f"it took longer than {PIP_SECONDS:.0f} seconds"
        if not result.returncode:
            return None
        if UNREACHABLE.search(result.stderr):
            raise NoIndexError
        errors = [line.removeprefix("ERROR: ") for line in result.stderr.splitlines() if line.startswith("ERROR: ")]
        return (errors or ["pip gives no reason"])[-1]

    return install


def main() -> None:
    """Prints what comes of it, for the server's log."""
    venv = Path(sys.argv[1])
    for line in reinstall(venv, pip(venv)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
