"""The person's home and folder as a start finds them, and makes them ready for what will run."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from entrypoint.files.places import Places
from entrypoint.home.folder import tell_folder
from entrypoint.home.home import judge_home, prepare_venv
from entrypoint.home.restore import finish_restore
from entrypoint.system.folder import reason_not_writable
from entrypoint.system.identity import Identity

Say = Callable[[str], None]


def open_home(places: Places, identity: Identity, environment: Mapping[str, str], say: Say) -> None:
    """As the person, who can do no more harm here than in a notebook.

    Raises:
        WorkhorseError: There is no home to work in.
    """
    judge_home(places.home, identity.user)
    if told := finish_restore(places.home):
        say(told)
    if without_venv := prepare_venv(places.home, environment):
        say(without_venv)


def tell_of_folder(places: Places, identity: Identity, host_folder: str, say: Say) -> None:
    """What is amiss with the notebooks' folder.

    Args:
        host_folder: What the host calls it.
    """
    not_writable = reason_not_writable(places.repositories, identity.user, host_folder)
    for warning in filter(None, (not_writable, *tell_folder(places, host_folder))):
        say(str(warning))
