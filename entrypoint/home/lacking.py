"""What pip installed for another Python than the image has now, and what of it isn't there for this one yet.

A virtual environment keeps the packages of each Python in a folder of their own, so that none is lost when an update of
the image brings another. A list beside them, which pip itself can read, holds what is still to be installed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.metadata import Distribution, distributions
from pathlib import Path

from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home.environments import requirement_of
from entrypoint.home.package_names import canonical

PYTHON = re.compile(r"python3\.[0-9]+")
# A line of the list: what pip reads, and after it what people and Workhorse do.
LINE = re.compile(r"(?P<requirement>\S.*?)  # import (?P<modules>[\w, ]*)(?:: (?P<reason>.*))?")
INFORMATION = ".dist-info"
NAMES_SHOWN = 5
MODULES_MAX = 20


@dataclass(frozen=True)
class Package:
    """One that was installed.

    Args:
        requirement: As pip freeze has it: `name==version` or `name @ address`.
        modules: What a notebook imports of it.
        reason: Why it can't be installed, if that was tried.
    """

    requirement: str
    modules: tuple[str, ...]
    reason: str = ""

    @property
    def name(self) -> str:
        return re.split(r"==| @ ", self.requirement)[0]

    @property
    def line(self) -> str:
        return f"{self.requirement}  # import {', '.join(self.modules)}" + f": {shown(self.reason)}" * bool(self.reason)


def python_of(venv: Path) -> str:
    """The Python that a virtual environment runs: `python3.13`, as its folder is called."""
    return Path(os.path.realpath(venv / "bin" / "python")).name


def named_python_of(venv: Path) -> str:
    """As people call it: `Python 3.13`."""
    return python_of(venv).replace("python", "Python ")


def list_of(venv: Path) -> Path:
    """The list of what its Python lacks; an empty one, once all is there."""
    return venv / f"lacking-{python_of(venv)}.txt"


def former_packages(venv: Path) -> Path | None:
    """Where the packages lie of the Python that was used last before this one."""
    others = [each for each in _folders_of_pythons(venv) if each.name != python_of(venv)]
    return max((each / "site-packages" for each in others), key=os.path.getmtime, default=None)


def _folders_of_pythons(venv: Path) -> list[Path]:
    try:
        names = sorted(os.listdir(venv / "lib"))
    except OSError:
        return []
    return [venv / "lib" / name for name in names if PYTHON.fullmatch(name) and _is_folder(venv / "lib" / name)]


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path / "site-packages") and not path.is_symlink()


def lacks_any(venv: Path) -> bool:
    """Whether something may have to be installed anew; quickly, since each start asks."""
    return bool(read_list(venv)) if list_of(venv).exists() else former_packages(venv) is not None


def write_list(venv: Path, packages: Iterable[Package]) -> None:
    write_private(list_of(venv), "".join(f"{each.line}\n" for each in packages).encode())


def read_list(venv: Path) -> list[Package]:
    """What is on the list and still isn't there, whoever installed the rest."""
    try:
        lines = read_untrusted(list_of(venv)).decode().splitlines()
    except (OSError, UnicodeDecodeError):
        return []
    listed = [_package(found) for line in lines if (found := LINE.fullmatch(line))]
    present = names_in(venv / "lib" / python_of(venv) / "site-packages") if listed else set()
    return [each for each in listed if canonical(each.name) not in present]


def _package(found: re.Match[str]) -> Package:
    modules = tuple(filter(None, found["modules"].split(", ")))
    return Package(found["requirement"], modules, found["reason"] or "")


def names_in(packages: Path) -> set[str]:
    """The canonical names of what pip installed into a folder, by their names alone."""
    try:
        entries = os.listdir(packages)
    except OSError:
        return set()
    found = (entry.removesuffix(INFORMATION) for entry in entries if entry.endswith(INFORMATION))
    return {canonical(each.rpartition("-")[0]) for each in found}


def find_lacking(venv: Path) -> list[Package]:
    """What the former Python had and this one has not; reads what a person's packages say of themselves."""
    folder = former_packages(venv)
    if folder is None:
        return []
    present = names_in(venv / "lib" / python_of(venv) / "site-packages")
    found = {}
    for each in distributions(path=[str(folder)]):
        if (requirement := requirement_of(each)) and canonical(each.name) not in present:
            found[canonical(each.name)] = Package(requirement, tuple(_modules(each))[:MODULES_MAX])
    return [found[name] for name in sorted(found)]


def _modules(distribution: Distribution) -> Iterator[str]:
    """What can be imported of it, as its list of files tells."""
    names = dict.fromkeys(_module(file.parts[0], len(file.parts)) for file in distribution.files or ())
    yield from (name for name in names if name.isidentifier() and not name.startswith("_"))


def _module(first: str, parts: int) -> str:
    return first if parts > 1 else first.partition(".")[0] if first.endswith((".py", ".so")) else ""


def tell(venv: Path) -> Iterator[str]:
    """A line for who asks how things are."""
    if packages := read_list(venv):
        names = ", ".join(shown(each.name) for each in packages[:NAMES_SHOWN])
        more = f" and {len(packages) - NAMES_SHOWN} more" if len(packages) > NAMES_SHOWN else ""
        yield (
            f"Installed for an earlier Python, and not there for {named_python_of(venv)} yet: {names}{more}. "
            f"A start installs them where an index can be reached. To do it now, in a terminal: "
            f"pip install -r ~/{venv.name}/{list_of(venv).name}"
        )


def explain(venv: Path, module: str) -> str | None:
    """What a notebook is told that misses a module, where it was there before an update."""
    python = named_python_of(venv)
    for each in read_list(venv):
        if module in each.modules:
            why = f" It could not be installed for {python}: {shown(each.reason)}" if each.reason else ""
            # The same release, unless there is none for this Python.
            wanted = shown(each.name if each.reason else each.requirement)
            return (
                f"{shown(each.name)} was installed for an earlier Python, and isn't there for {python}.{why}\n"
                f"To install it: %pip install {wanted}"
            )
    return None
