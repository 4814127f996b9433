"""What the starts of both Jupyter servers have in common."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.files.private import set_aside
from entrypoint.files.untrusted import shown_lines
from entrypoint.system.handover import adopt_folder, hand_over_cluster, hand_over_home, hand_over_run, hand_over_socket
from entrypoint.system.identity import Identity, write_accounts
from entrypoint.system.trust import trust_company

PYTHON, TINI = "/opt/server/bin/python", "/usr/bin/tini"
REPOSITORIES = "REPOSITORIES"


def prepare_as_root(places: Places, identity: Identity, socket: Path, host_folder: str) -> None:
    """What only root may give away; nothing that people's code can have put anywhere is run, read or followed.

    Args:
        socket: Where this server and the door meet.
        host_folder: What the host calls the notebooks' folder.
    """
    hand_over_run(places.run, identity, places.server_run)
    write_accounts(identity.user, places.home, places.run)
    trust_company(places.company_authority, places.run)
    hand_over_cluster(places, identity.user, say)
    if identity.may_switch:
        # Before the home, by whose owner the other server's start takes this for done.
        adopt_folder(places.repositories, identity, host_folder, say)
        hand_over_home(places.home, identity.user)
        hand_over_socket(socket.parent, identity.user)


def clear_way(socket: Path) -> None:
    """Sets aside what a notebook has put in the socket's place; an old socket itself gives way to the new one."""
    if os.path.lexists(socket) and not stat.S_ISSOCK(socket.lstat().st_mode):
        set_aside(socket)


def become(command: list[str], environment: Mapping[str, str]) -> None:
    """Below a reaper of orphans."""
    os.execvpe(TINI, [TINI, "--", *command], environment)


def become_server(module: str, *arguments: str, places: Places, environment: Mapping[str, str]) -> None:
    # Where Jupyter writes how each kernel is reached; what is typed later need not know.
    environment = {**environment, "JUPYTER_RUNTIME_DIR": str(places.connections)}
    become([PYTHON, "-I", "-m", module, *arguments], environment)


def say(line: str) -> None:
    print(shown_lines(line), flush=True)
