"""The start of the lab, from the environment to the running JupyterLab."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown_lines
from entrypoint.home.home import judge_home
from entrypoint.home.person import person_environment
from entrypoint.jupyter.config import write_config
from entrypoint.jupyter.start import REPOSITORIES, become, become_server, clear_way, prepare_as_root, say
from entrypoint.kernels.home import open_home, tell_of_folder
from entrypoint.kernels.leftovers import clear_beside
from entrypoint.lab.config import lab_config
from entrypoint.system.identity import person_identity


def start(environ: Mapping[str, str], arguments: list[str]) -> None:
    """Prepares everything and becomes JupyterLab, or the command that was asked for instead."""
    places = Places()
    host_folder = environ.get(REPOSITORIES) or str(places.repositories)
    # Where no door stands before it, nobody else runs its kernels.
    is_alone = not places.socket.parent.is_dir()

    identity = person_identity(places)
    prepare_as_root(places, identity, places.socket, host_folder)
    identity.become_person()

    environment = person_environment(environ, places)
    if is_alone:
        open_home(places, identity, environment, say)
    else:
        judge_home(places.home, identity.user)
    if arguments:
        become(arguments, environment)
    if is_alone:
        clear_beside(places.temporary, time.time())
        tell_of_folder(places, identity, host_folder, say)
    clear_way(places.socket)
    write_config(places.lab_config, lab_config(places), places.home, say)
    become_server("entrypoint.lab.server", str(places.lab_config), places=places, environment=environment)


def main() -> None:
    try:
        start(os.environ, sys.argv[1:])
    except WorkhorseError as error:
        sys.exit(shown_lines(str(error)))


if __name__ == "__main__":
    main()
