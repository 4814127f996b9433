"""The start of the lab, from the environment to the running JupyterLab."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Mapping
from pathlib import Path

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import set_aside
from entrypoint.files.untrusted import shown_lines
from entrypoint.home.folder import tell_folder
from entrypoint.home.home import judge_home, prepare_venv
from entrypoint.home.person import person_environment
from entrypoint.home.restore import finish_restore
from entrypoint.lab.config import write_config
from entrypoint.system.folder import reason_not_writable
from entrypoint.system.handover import adopt_folder, hand_over_home, hand_over_run, hand_over_socket
from entrypoint.system.identity import lab_identity, write_accounts
from entrypoint.system.trust import trust_company

PYTHON, TINI = "/opt/server/bin/python", "/usr/bin/tini"
REPOSITORIES = "REPOSITORIES"


def start(environ: Mapping[str, str], arguments: list[str]) -> None:
    """Prepares everything and becomes JupyterLab, or the command that was asked for instead."""
    places = Places()
    host_folder = environ.get(REPOSITORIES) or str(places.repositories)

    # As root, where the container starts as root: what only root may give away, and nothing that people's code can
    # have put anywhere is run, read or followed.
    identity = lab_identity(places)
    hand_over_run(places.run, identity, places.server_run)
    write_accounts(identity.user, places.home, places.run)
    trust_company(places.company_authority, places.run)
    if identity.may_switch:
        adopt_folder(places.repositories, identity, host_folder, say)
        hand_over_home(places.home, identity.user)
        hand_over_socket(places.socket.parent, identity.user)
    identity.become_person()

    # As the person, who can do no more harm here than in a notebook.
    judge_home(places.home, identity.user)
    if told := finish_restore(places.home):
        say(told)
    environment = person_environment(environ, places)
    without_venv = prepare_venv(places.home, environment)
    if arguments:
        become(arguments, environment)
    warnings = (
        without_venv,
        reason_not_writable(places.repositories, identity.user, host_folder),
        *tell_folder(places, host_folder),
    )
    for warning in filter(None, warnings):
        say(str(warning))
    clear_way(places.socket)
    write_config(places, say)
    # Where Jupyter writes how each kernel is reached; what is typed later need not know.
    environment["JUPYTER_RUNTIME_DIR"] = str(places.connections)
    become([PYTHON, "-I", "-m", "entrypoint.lab.server", str(places.lab_config)], environment)


def clear_way(socket: Path) -> None:
    """Sets aside what a notebook has put in the socket's place; an old socket itself gives way to the new one."""
    if os.path.lexists(socket) and not stat.S_ISSOCK(socket.lstat().st_mode):
        set_aside(socket)


def become(command: list[str], environment: Mapping[str, str]) -> None:
    """Below a reaper of orphans."""
    os.execvpe(TINI, [TINI, "--", *command], environment)


def say(line: str) -> None:
    print(shown_lines(line), flush=True)


def main() -> None:
    try:
        start(os.environ, sys.argv[1:])
    except WorkhorseError as error:
        sys.exit(shown_lines(str(error)))


if __name__ == "__main__":
    main()
