"""The person's own world: what their programs find, and how what `docker compose exec kernels` runs gets there."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.home.home import DEFAULT_ENVIRONMENT, venv_of
from entrypoint.system.identity import NAME, person_identity
from entrypoint.system.trust import trusted

# What docker-compose.yml tells the kernels' server itself.
OWN_VARIABLES = {"MEMORY_LIMIT", "REPOSITORIES"}
SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONDA_PATH = "/opt/conda/condabin:/opt/conda/bin"


def person_path(home: Path) -> str:
    """Where the person's programs are looked for, and root's never: the first folder is the person's to write to."""
    return f"{venv_of(home)}/bin:{DEFAULT_ENVIRONMENT}/bin:{SYSTEM_PATH}:{CONDA_PATH}"


def person_environment(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """What the server, every kernel and every shell inherit: none of Workhorse's own settings."""
    return {
        **{name: value for name, value in environ.items() if name not in OWN_VARIABLES},
        **trusted(places.run),
        "HOME": str(places.home),
        "USER": NAME,
        "LOGNAME": NAME,
        "PATH": person_path(places.home),
    }


def main() -> None:
    """Runs the program that the arguments name: root has no use for a shell, a Python or a conda of its own here."""
    places = Places()
    environment = person_environment(os.environ, places)
    person_identity(places).become_person()
    try:
        os.execvpe(sys.argv[1], sys.argv[1:], environment)
    except FileNotFoundError:
        # As a shell says it, which this stands for.
        print(f"{sys.argv[1]}: command not found", file=sys.stderr)
        sys.exit(127)


if __name__ == "__main__":
    main()
