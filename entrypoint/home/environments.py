"""Lists of what the environments in a home hold: enough to make them anew, and a thousandth of their size."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Iterable, Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import Any

from entrypoint.files.confined import confined
from entrypoint.files.untrusted import shown
from entrypoint.home.home import venv_of

CONDA = Path("/opt/conda/bin/conda")
CONDA_SECONDS = 120
SILENCE_SECONDS = CONDA_SECONDS + 60.0
# A list of ten thousand packages; a restore reads 16 MiB of lists.
LIST_CHARACTERS = 1 << 20
README = """\
A backup holds lists of the packages that you installed, not the packages. In a terminal of JupyterLab:
"""


def find_environments(home: Path) -> list[Path]:
    """The virtual environment that `pip install` goes to, and the conda environments that have a name."""
    venv, conda = venv_of(home), home / ".conda" / "envs"
    is_venv = os.path.isfile(venv / "pyvenv.cfg") and not venv.is_symlink()
    return [*([venv] if is_venv else []), *_conda_environments(conda)]


def _conda_environments(folder: Path) -> list[Path]:
    if folder.parent.is_symlink() or folder.is_symlink():
        return []
    try:
        names = sorted(os.listdir(folder))
    except OSError:
        return []
    return [folder / name for name in names if _is_folder(folder / name) and _is_folder(folder / name / "conda-meta")]


def _is_folder(path: Path) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)


def specification(environment: Path, home: Path) -> tuple[str, str] | None:
    """A file's name and text from which an environment can be made anew; None if there is nothing to install.

    Raises:
        OSError: Why it can't be told.
    """
    answer = confined(lambda tell: json.dumps(_specification(environment, home)).encode(), SILENCE_SECONDS)
    name, text = json.loads(answer)
    if len(text) > LIST_CHARACTERS:
        raise OSError(f"it is longer than {LIST_CHARACTERS} characters")
    return (name, text) if text else None


def _specification(environment: Path, home: Path) -> tuple[str, str]:
    if environment == venv_of(home):
        return "venv.txt", "".join(f"{line}\n" for line in pip_requirements(environment))
    return f"{environment.name}.yml", _exported(environment, home) or conda_list(environment)


def readme(names: Iterable[str], folder: str) -> str:
    """How to make the environments anew from the files in a folder of the home."""
    commands = {".txt": "pip install -r", ".yml": "conda env create -f"}
    lines = [f"  {commands[Path(name).suffix]} ~/{folder}/{shown(shlex.quote(name))}\n" for name in sorted(names)]
    return README + "".join(lines)


def _exported(environment: Path, home: Path) -> str | None:
    """What conda itself says, which knows most; None if it can't."""
    command = [str(CONDA), "env", "export", "--no-builds", "-p", str(environment)]
    environ = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    try:
        result = subprocess.run(
            command, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=True, timeout=CONDA_SECONDS
        )
        text = result.stdout.decode()
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return text if re.search("^dependencies:", text, re.MULTILINE) else None


def conda_list(environment: Path) -> str:
    """The same as far as conda's own records tell it, for an environment that conda can't export."""
    records = [record for file in sorted((environment / "conda-meta").glob("*.json")) if (record := _record(file))]
    channels = list(dict.fromkeys(filter(None, map(_channel, records))))
    lines = [f"  - {record['name']}={record['version']}" for record in records]
    pip = [f"      - {line}" for line in pip_requirements(environment)]
    return "\n".join([
        f"name: {json.dumps(environment.name)}",
        "channels:", *(f"  - {channel}" for channel in channels),
        "dependencies:", *lines, *(["  - pip", "  - pip:", *pip] if pip else []), ""
    ])  # fmt: skip


def _record(file: Path) -> Mapping[str, Any] | None:
    try:
        record = json.loads(file.read_bytes())
    except (OSError, ValueError):
        return None
    return record if isinstance(record, dict) and {"name", "version"} <= record.keys() else None


def _channel(record: Mapping[str, Any]) -> str:
    """Without the folder of the platform, which conda adds itself."""
    return str(record.get("channel", "")).rstrip("/").removesuffix(f"/{record.get('subdir')}")


def pip_requirements(environment: Path) -> list[str]:
    """What pip installed into an environment itself, one requirement a line, as pip freeze has them."""
    folders = sorted(environment.glob("lib/python3.*/site-packages"), key=os.path.getmtime)
    found = {}
    for folder in folders:
        for distribution in distributions(path=[str(folder)]):
            if line := requirement_of(distribution):
                found[distribution.name.lower()] = line
    return [found[name] for name in sorted(found)]


def requirement_of(distribution: Distribution) -> str | None:
    """A line of requirements.txt; None for what conda installed and for remains without a name."""
    if (distribution.read_text("INSTALLER") or "").strip() == "conda" or not distribution.metadata["Name"]:
        return None
    released = f"{distribution.name}=={distribution.version}"
    try:
        return _direct(distribution.name, json.loads(distribution.read_text("direct_url.json") or "{}")) or released
    except (ValueError, LookupError, TypeError, AttributeError):
        return released


def _direct(name: str, origin: Mapping[str, Any]) -> str | None:
    """Where a package came from, if not from an index (packaging.python.org, "Recording the Direct URL Origin")."""
    if not (url := origin.get("url")):
        return None
    if version_control := origin.get("vcs_info"):
        return f"{name} @ {version_control['vcs']}+{url}@{version_control['commit_id']}"
    return f"-e {url}" if origin.get("dir_info", {}).get("editable") else f"{name} @ {url}"
