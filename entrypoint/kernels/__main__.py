"""The start of what runs: from the environment to the server of kernels and terminals."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown_lines
from entrypoint.home.home import venv_of
from entrypoint.home.lacking import lacks_any
from entrypoint.home.person import person_environment
from entrypoint.jupyter.config import merge, server_config, write_config
from entrypoint.jupyter.start import REPOSITORIES, become, become_server, clear_way, prepare_as_root, say
from entrypoint.kernels.config import kernels_config
from entrypoint.kernels.home import open_home, tell_of_folder
from entrypoint.kernels.leftovers import clear_beside
from entrypoint.kernels.waiting import AT_ONCE
from entrypoint.system.identity import person_identity


def start(environ: Mapping[str, str], arguments: list[str]) -> None:
    """Prepares everything and becomes the server, or the command that was asked for instead."""
    places = Places()
    host_folder = environ.get(REPOSITORIES) or str(places.repositories)

    identity = person_identity(places)
    prepare_as_root(places, identity, places.kernels_socket, host_folder)
    identity.become_person()

    environment = person_environment(environ, places)
    open_home(places, identity, environment, say)
    if arguments:
        become(arguments, environment)
    tell_of_folder(places, identity, host_folder, say)
    clear_beside(places.temporary, time.time())
    clear_way(places.kernels_socket)
    config = merge(server_config(places, places.kernels_socket), kernels_config())
    write_config(places.kernels_config, config, places.home, say)
    has_work = lacks_any(venv_of(places.home)) or any(places.runs.glob("*.json"))
    words = [AT_ONCE] if has_work else []
    files = str(places.kernels_config), str(places.kernels_socket)
    become_server("entrypoint.kernels.waiting", *files, *words, places=places, environment=environment)


def main() -> None:
    try:
        start(os.environ, sys.argv[1:])
    except WorkhorseError as error:
        sys.exit(shown_lines(str(error)))


if __name__ == "__main__":
    main()
