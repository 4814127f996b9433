"""What stands ready in the home volume: the virtual environment that `pip install` goes to."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

from entrypoint.errors import WorkhorseError
from entrypoint.identity import Identity, can_write
from entrypoint.private_files import unwritable

DEFAULT_ENVIRONMENT = Path("/opt/conda/envs/default")
PIP = '#!/bin/sh\nexec "$(dirname "$0")/python" -m pip "$@"\n'


def venv_of(home: Path) -> Path:
    return home / "venv"


def prepare_home(home: Path, identity: Identity) -> None:
    """Gives an untouched home to the server's user. What is in a home stays whose it is.

    Raises:
        WorkhorseError: It is another's, so that Jupyter can't start.
    """
    if identity.may_switch and home.stat().st_uid != identity.user.uid and not any(home.iterdir()):
        try:
            os.chown(home, identity.user.uid, identity.user.gid)
            home.chmod(0o755)
        except OSError as error:
            raise unwritable(home, error) from error
    if not can_write(home, identity.user):
        user, group = identity.user.uid, identity.user.gid
        raise WorkhorseError.of(
            f"The home volume belongs to user {home.stat().st_uid}, and the notebooks' folder to user {user}, "
            "as whom the server runs.",
            "To hand the home over: docker compose run --rm --user 0 --entrypoint chown workhorse "
            f"-R {user}:{group} {home}",
        )


def prepare_venv(home: Path, identity: Identity, environ: Mapping[str, str]) -> str | None:
    """Makes the virtual environment over the default kernel's, as the server's user; says what went wrong.

    A virtual environment, and not `pip install --user`, since the user site is shared by every environment of the
    same Python version and so breaks environments that it was not meant for.
    """
    python = DEFAULT_ENVIRONMENT / "bin" / "python"
    venv = venv_of(home)
    if _serves(venv, python):
        return None
    result = subprocess.run(
        [python, "-I", "-c", _MAKE_VENV, venv, PIP],
        env={**environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        user=identity.user.uid if identity.switches else None,
        group=identity.user.gid if identity.switches else None,
        extra_groups=[] if identity.switches else None,
    )
    if result.returncode == 0:
        return None
    return (
        f"{venv} can't be made, so pip can't install: {(result.stderr.strip() or 'no reason given').splitlines()[-1]}"
    )


# Runs in the default kernel's Python. Pip itself is the environment's own; the two lines call it, since a script's
# first line would name the Python of the image, which can't be written to.
_MAKE_VENV = """
import pathlib, sys, venv
folder, pip = pathlib.Path(sys.argv[1]), sys.argv[2]
# An upgrade leaves out the scripts, so it needs a folder that was made to its end: pip3 is written last.
is_whole = all((folder / "bin" / name).exists() for name in ("activate", "pip3"))
venv.EnvBuilder(system_site_packages=True, symlinks=True, upgrade=is_whole).create(folder)
for name in ("pip", "pip3"):
    script = folder / "bin" / name
    script.unlink(missing_ok=True)
    script.write_text(pip)
    script.chmod(0o755)
"""


def _serves(venv: Path, python: Path) -> bool:
    """Whether the virtual environment was made for the Python that the image holds now, and made to its end."""
    try:
        made_for = (venv / "pyvenv.cfg").read_text()
    except OSError:
        return False
    # The module venv writes the file twice, and the first time without the default kernel's packages.
    lines = (f"executable = {python.resolve()}\n", "include-system-site-packages = true\n")
    has_scripts = (venv / "bin" / "activate").exists() and all(
        _is_program(venv / "bin" / pip) for pip in ("pip", "pip3")
    )
    return has_scripts and all(line in made_for for line in lines)


def _is_program(path: Path) -> bool:
    return path.is_file() and os.access(path, os.X_OK)
