"""What stands ready in the home volume: the virtual environment that `pip install` goes to."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Mapping
from pathlib import Path

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.private import Owner, set_aside
from entrypoint.files.untrusted import read_linked

DEFAULT_ENVIRONMENT = Path("/opt/conda/envs/default")
# It takes one or two; but it may meet a pipe where it writes a script.
VENV_SECONDS = 60
# The kernels' server's own root may not look into what is closed to it.
AS_ROOT = "--user 0 --cap-add DAC_READ_SEARCH"
# Comes first on the PATH, but for the environment that is active: where that has no pip, this one installs nothing into
# another.
PIP = """\
#!/bin/sh
own=$(cd "$(dirname "$0")/.." && pwd)
if [ "${1:-}" = install ]; then
    for word; do
        shift
        if [ "$word" = --user ]; then
            echo "pip: without --user, which is not needed here: what you install is yours." >&2
        else
            set -- "$@" "$word"
        fi
    done
fi
active=${VIRTUAL_ENV:-${CONDA_PREFIX:-$own}}
if [ "$active" -ef "$own" ] || [ "$active" = /opt/conda/envs/default ]; then
    exec "$own/bin/python" -m pip "$@"
fi
echo "pip: $active is active here, and has no pip. To give it one:" >&2
if [ -d "$active/conda-meta" ]; then
    echo "  conda install -y -p $active pip" >&2
else
    echo "  $active/bin/python -m ensurepip --default-pip" >&2
fi
exit 1
"""


def venv_of(home: Path) -> Path:
    return home / "venv"


def worlds_of(home: Path) -> tuple[Path, Path]:
    """What the default kernel sees: what pip put there comes before the image's own."""
    return venv_of(home), DEFAULT_ENVIRONMENT


def judge_home(home: Path, user: Owner) -> None:
    """Asks, as the person, whether there is a home to work in.

    Raises:
        WorkhorseError: It is another's or closed, so that Jupyter can't start.
    """
    if os.access(home, os.W_OK | os.X_OK):
        return
    status = home.stat()
    command = "docker compose run --rm {} --entrypoint {} kernels {} " + str(home)
    if status.st_uid == user.uid and status.st_mode & stat.S_IRWXU != stat.S_IRWXU:
        raise WorkhorseError.of(
            f"The home volume is closed to its own owner (mode {stat.S_IMODE(status.st_mode):04o}).",
            "To open it: " + command.format(f"--user {user.uid}", "chmod", "u+rwx"),
        )
    if os.statvfs(home).f_flag & os.ST_RDONLY:
        raise WorkhorseError.of(
            "The home volume is mounted read-only.", "Mount it without that, as docker-compose.yml has it."
        )
    raise WorkhorseError.of(
        f"The home volume belongs to user {status.st_uid}, and the notebooks' folder to user {user.uid}, "
        "as whom the server runs.",
        "To hand the home over: " + command.format(AS_ROOT, "chown", f"-R {user.uid}:{user.gid}") + "\n"
        "  If it is another person's, an installation of your own takes this line in .env: "
        "COMPOSE_PROJECT_NAME=workhorse-2",
    )


def prepare_venv(home: Path, environ: Mapping[str, str]) -> str | None:
    """Makes the virtual environment over the default kernel's, as the person; says what went wrong.

    A virtual environment, and not `pip install --user`, since the user site is shared by every environment of the
    same Python version and so breaks environments that it was not meant for.
    """
    python = DEFAULT_ENVIRONMENT / "bin" / "python"
    venv = venv_of(home)
    if _serves(venv, python):
        return None
    settings = venv / "pyvenv.cfg"
    if not settings.is_file():
        # Written through, it would never end, or be somebody else's.
        set_aside(settings)
    if reason := _make_venv(venv, python, {**environ, "HOME": str(home)}):
        return f"{venv} can't be made, so pip can't install: {reason}"
    return None


def _make_venv(venv: Path, python: Path, environ: Mapping[str, str]) -> str | None:
    command = [str(python), "-I", "-c", _MAKE_VENV, str(venv), PIP]
    try:
        result = subprocess.run(
            command, env=environ, capture_output=True, errors="replace", check=False, timeout=VENV_SECONDS
        )
    except subprocess.TimeoutExpired:
        return f"it took longer than {VENV_SECONDS} seconds"
    return (result.stderr.strip() or "no reason given").splitlines()[-1] if result.returncode else None


# Runs in the default kernel's Python. Pip itself is the environment's own; the two lines call it, since a script's
# first line would name the Python of the image, which can't be written to.
_MAKE_VENV = """
import os, pathlib, sys, venv
folder, pip = pathlib.Path(sys.argv[1]), sys.argv[2]
# An upgrade leaves out the scripts, so it needs a folder that was made to its end: pip3 is written last.
is_whole = all((folder / "bin" / name).exists() for name in ("activate", "pip3"))
# It keeps links that are there, also those that lead to what an earlier image had.
for link in (folder / "bin").glob("python*"):
    if link.is_symlink() and not os.path.exists(link):
        link.unlink()
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
        made_for = read_linked(venv / "pyvenv.cfg").decode()
    except (OSError, UnicodeDecodeError):
        return False
    # The module venv writes the file twice, and the first time without the default kernel's packages.
    lines = (f"executable = {python.resolve()}\n", "include-system-site-packages = true\n")
    has_scripts = (venv / "bin" / "activate").exists() and all(_is_pip(venv / "bin" / pip) for pip in ("pip", "pip3"))
    return has_scripts and all(line in made_for for line in lines)


def _is_pip(path: Path) -> bool:
    try:
        return read_linked(path) == PIP.encode() and os.access(path, os.X_OK)
    except OSError:
        return False
