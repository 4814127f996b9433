"""The person's own world: what their programs find, and how what is typed after `docker compose exec` gets there."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from entrypoint.home import DEFAULT_ENVIRONMENT, venv_of
from entrypoint.identity import NAME, Identity, find_identity
from entrypoint.places import Places
from entrypoint.private_files import Owner
from entrypoint.settings import misspelt, variable_names
from entrypoint.trust import trusted

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
CONDA_PATH = "/opt/conda/condabin:/opt/conda/bin"


def person_path(home: Path) -> str:
    """Where the person's programs are looked for, and root's never: the first folder is the person's to write to."""
    return f"{venv_of(home)}/bin:{DEFAULT_ENVIRONMENT}/bin:{SYSTEM_PATH}:{CONDA_PATH}"


def person_environment(environ: Mapping[str, str], alike: Iterable[str], places: Places) -> dict[str, str]:
    """What the server, every kernel and every shell inherit: none of Workhorse's settings, nor what is named alike."""
    own = {*variable_names(), *alike}
    return {
        **{name: value for name, value in environ.items() if name not in own},
        **trusted(places.run),
        "HOME": str(places.home),
        "USER": NAME,
        "LOGNAME": NAME,
        "PATH": person_path(places.home),
    }


def become(identity: Identity, command: list[str], environment: Mapping[str, str]) -> None:
    """Replaces this process by a command with no rights but the user's own."""
    # setpriv changes groups before the user, and drops the bounding set while it still may. A user namespace may
    # forbid to change groups (user_namespaces(7)), and its root has none that are worth dropping.
    groups = "--clear-groups" if identity.switches else "--keep-groups"
    user, group = f"--reuid={identity.user.uid}", f"--regid={identity.user.gid}"
    # By its whole path: the environment's own leads to what the person has put there.
    drop = ["/usr/bin/setpriv", user, group, groups, "--bounding-set=-all", "--inh-caps=-all", "--"]
    argv = [*(drop if identity.may_switch else []), *command]
    os.execvpe(argv[0], argv, environment)


def main() -> None:
    """Runs the program that the arguments name: root has no use for a shell, a Python or a conda of its own here."""
    places = Places()
    identity = find_identity(
        Owner(os.getuid(), os.getgid()), places.repositories, Path("/proc/self/uid_map").read_text()
    )
    become(identity, sys.argv[1:], person_environment(os.environ, misspelt(os.environ), places))


if __name__ == "__main__":
    main()
