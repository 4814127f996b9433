"""What a `kernel.json` says, made to run by the program of its own environment or not at all."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from glob import escape, glob
from pathlib import Path
from typing import Any

from entrypoint.files.untrusted import read_untrusted
from entrypoint.home.home import worlds_of

Kernel = dict[str, Any]

# conda-forge's packages set variables (GDAL_DATA and the like) when their environment is activated.
ACTIVATE = 'for f in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$f"; done; exec "$@"'
# As virtual environments are called that belong to the project they lie in (docs.python.org/3/library/venv.html).
VENV_NAMES = (".venv", "venv", "env")
# Where conda keeps those that have names of their own.
CONDA_ENVIRONMENTS = "envs"
PYTHON = re.compile(r"(python|pypy)[0-9.]*t?")


def read_kernel(file: Path) -> Kernel:
    """What the file holds, with all that is needed to run and to show it.

    Raises:
        OSError: It can't be read.
        ValueError: It is no kernel's.
    """
    try:
        # Packages are linked from a store, by uv and conda.
        kernel = json.loads(read_untrusted(file, follow=True))
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if not isinstance(kernel, dict):
        raise ValueError('it is not of the form {"argv": [...], "display_name": "..."}')
    argv, env = kernel.get("argv"), kernel.setdefault("env", {})
    if not (isinstance(argv, list) and argv and all(isinstance(word, str) for word in argv)):
        raise ValueError("its argv is no list of words to run")
    if not isinstance(kernel.setdefault("display_name", file.parent.name), str):
        raise ValueError("its display_name is no text")
    if not (isinstance(env, dict) and all(isinstance(value, str) for value in env.values())):
        raise ValueError("its env holds other values than texts")
    return kernel


def registered_kernel(file: Path) -> Kernel:
    """A kernel that a person registered, whose program is found as a terminal would find it.

    Raises:
        OSError, ValueError: See `read_kernel`; or its program isn't here.
    """
    kernel = read_kernel(file)
    # Jupyter itself takes a bare `python` for the server's own.
    program, *arguments = _filled(kernel["argv"], Path(sys.prefix), file)
    return kernel | {"argv": [_on_the_path(program, kernel["env"].get("PATH")), *arguments]}


def environment_kernel(prefix: Path, file: Path, home: Path) -> tuple[str, Kernel]:
    """The name and kernel of one environment, with its own interpreter, PATH and conda activation.

    Raises:
        OSError, ValueError: See `read_kernel`; or its program isn't here.
    """
    kernel = read_kernel(file)
    program, *arguments = _filled(kernel["argv"], prefix, file)
    if prefix in worlds_of(home):
        name, label, folders = file.parent.name, "", list(worlds_of(home))
    else:
        label = _label(prefix)
        name = _slug(f"{label}-{file.parent.name}")
        folders = [prefix]
    variables = _variables(folders) | kernel["env"]
    argv = [_program(program, folders, variables["PATH"]), *arguments]
    if glob(f"{escape(str(folders[-1]))}/etc/conda/activate.d/*.sh"):
        argv = ["/bin/bash", "-c", ACTIVATE, "kernel", *argv]
    title = kernel["display_name"].removesuffix(" (ipykernel)") + (f" [{label}]" if label else "")
    return name, kernel | {"argv": argv, "env": variables, "display_name": title}


def _label(prefix: Path) -> str:
    """What people know an environment by: its own name, or its project's."""
    is_a_project_s = prefix.name in VENV_NAMES and prefix.parent.name != CONDA_ENVIRONMENTS
    return prefix.parent.name if is_a_project_s else prefix.name


def _slug(text: str) -> str:
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower())


def _filled(argv: list[str], prefix: Path, file: Path) -> list[str]:
    """The words of a kernel's command, whose places Jupyter would fill with the server's own."""
    values = {"{prefix}": str(prefix), "{resource_dir}": str(file.parent)}
    return [re.sub(r"\{(prefix|resource_dir)\}", lambda found: values[found[0]], word) for word in argv]


def _program(name: str, folders: list[Path], path: str) -> str:
    """The program of the first environment that has it, as kernels name it bare or by its full path."""
    candidates = [folder / "bin" / Path(name).name for folder in folders]
    for candidate in candidates:
        if os.access(candidate, os.X_OK):
            return str(candidate)
    # Another Python has other packages; another program (R, julia, bash) may serve any environment.
    if PYTHON.fullmatch(Path(name).name):
        wanted = candidates[-1]
        raise ValueError(f"its Python, {str(wanted)!r}, {_what_is_wrong_with(wanted)}{_remedy(folders[-1])}")
    return _on_the_path(name, path)


def _what_is_wrong_with(program: Path) -> str:
    if program.exists():
        return "can't be run in the container"
    target = os.path.realpath(program)
    return f"leads to {target!r}, which isn't in the container" if program.is_symlink() else "isn't in the container"


def _remedy(prefix: Path) -> str:
    if prefix.name not in VENV_NAMES:
        return ""
    return f". Make one here, in a terminal: conda create -n {_slug(prefix.parent.name)} python ipykernel"


def _on_the_path(name: str, path: str | None) -> str:
    found = shutil.which(name, path=path and os.path.expandvars(path))
    if found is None:
        raise ValueError(f"its program, {name!r}, isn't in the container")
    if Path(os.path.normpath(found)).is_relative_to(sys.prefix):
        raise ValueError(f"it would run in the server's own Python, {found!r}, which is not for notebooks")
    return found


def _variables(folders: list[Path]) -> dict[str, str]:
    """What activation would set; the last folder is the environment itself."""
    prefix = folders[-1]
    path = os.pathsep.join([*(str(folder / "bin") for folder in folders), os.environ.get("PATH", os.defpath)])
    if (prefix / "conda-meta").is_dir():
        return {"PATH": path, "CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": prefix.name}
    return {"PATH": path, "VIRTUAL_ENV": str(prefix)}
