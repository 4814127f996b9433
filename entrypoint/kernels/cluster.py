"""The start of the cluster's scheduler and workers: what people's code runs in, by the person's own Python."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown_lines
from entrypoint.home.home import prepare_venv
from entrypoint.home.person import person_environment
from entrypoint.jupyter.start import REPOSITORIES, become, prepare_as_root, say
from entrypoint.system.identity import person_identity


def start(arguments: list[str], is_alone: bool = False) -> None:
    """Becomes the person, and what the arguments name.

    Args:
        is_alone: On a machine without kernels, who make the home ready elsewhere, and start before.
    """
    places = Places()
    identity = person_identity(places)
    host_folder = os.environ.get(REPOSITORIES) or str(places.repositories)
    prepare_as_root(places, identity, places.kernels_socket, host_folder)
    identity.become_person()
    environment = person_environment(os.environ, places)
    if is_alone and (reason := prepare_venv(places.home, environment)):
        say(reason)
    become(arguments, environment)


def run(arguments: Callable[[], list[str]], is_alone: bool = False) -> None:
    """The same as a program."""
    try:
        start(arguments(), is_alone)
    except WorkhorseError as error:
        sys.exit(shown_lines(str(error)))


if __name__ == "__main__":
    run(lambda: sys.argv[1:])
