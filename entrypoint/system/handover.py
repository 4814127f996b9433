"""What root gives away at the start, before it becomes the person: tops of volumes, and an earlier user's files."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.files.private import Owner, opened_folder, unwritable, write_private
from entrypoint.system.identity import OWN_FILES, Identity

# Deeper than anything lies in the state. What is deeper is nobody's, and no start is held up by it.
DEPTH_MAX = 32


def hand_over_run(folder: Path, identity: Identity, server_s: Path) -> None:
    """Keeps the folder in memory root's, so that what the start writes there can be believed, but for one folder."""
    if identity.may_switch:
        folder.chmod(0o755)
    with contextlib.suppress(FileExistsError):
        server_s.mkdir(mode=0o755)
        if identity.may_switch:
            os.chown(server_s, identity.user.uid, identity.user.gid)


def adopt_folder(folder: Path, identity: Identity, host_folder: str, say: Callable[[str], None]) -> None:
    """Gives root's folder to the person where that is to be done, with what a clone has put there and nothing else."""
    if not identity.adopts_folder:
        return
    # On a read-only mount this fails, which `reason_not_writable` explains.
    with contextlib.suppress(OSError), opened_folder(folder) as top:
        if os.fstat(top).st_uid == identity.user.uid:
            # Another start of the same moment was first.
            return
        for name in OWN_FILES & set(os.listdir(top)):
            _give(name, identity.user, top)
        os.fchown(top, identity.user.uid, identity.user.gid)
        say(f"{host_folder} was root's, and now belongs to user {identity.user.uid}, as whom the server runs.")


def hand_over_state(folder: Path, user: Owner) -> None:
    """Closes the state to everyone but the person, and hands over what an earlier user left."""
    try:
        with opened_folder(folder) as top:
            os.fchmod(top, 0o700)
            _give_all(top, user, DEPTH_MAX)
            os.fchown(top, user.uid, user.gid)
    except OSError as error:
        raise unwritable(folder, error) from error


def hand_over_home(folder: Path, user: Owner) -> None:
    """Gives an untouched home to the person. What is in a home stays whose it is."""
    if folder.lstat().st_uid == user.uid:
        return
    try:
        with opened_folder(folder) as top:
            if not os.listdir(top):
                os.fchmod(top, 0o755)
                os.fchown(top, user.uid, user.gid)
    except OSError as error:
        # The other server's start of the same moment may have been first, and this root may change nobody else's mode.
        # Of what is mounted read-only, or closed to the server's own root, `judge_home` tells.
        if folder.lstat().st_uid != user.uid and error.errno not in (errno.EROFS, errno.EACCES):
            raise unwritable(folder, error) from error


def hand_over_index(folder: Path, user: Owner) -> None:
    """Gives the top of what can be made anew to the person; below it, each user has a folder of their own."""
    try:
        with opened_folder(folder) as top:
            if os.fstat(top).st_uid == os.geteuid():  # a new one, which the image opens to all
                os.fchmod(top, 0o755)
            os.fchown(top, user.uid, user.gid)
    except OSError as error:
        raise unwritable(folder, error) from error


def hand_over_socket(folder: Path, user: Owner) -> None:
    """Gives the folder where the door and the kernels' server meet to the person, on whose side the socket is made."""
    # Without one, there is no door.
    with contextlib.suppress(FileNotFoundError), opened_folder(folder) as top:
        os.fchown(top, user.uid, user.gid)


def hand_over_cluster(places: Places, user: Owner, say: Callable[[str], None]) -> None:
    """Copies what root alone may read of the cluster's for the person, where compose/cluster.yml is on."""
    if not places.cluster.path.is_dir():
        return
    # The folder stays root's, so that nothing of the person's can stand in a copy's place.
    places.own_cluster.path.mkdir(mode=0o755, exist_ok=True)
    for name in (places.cluster.authority.name, places.cluster.pair.name, places.cluster.revoked.name):
        try:
            write_private(places.own_cluster.path / name, (places.cluster.path / name).read_bytes())
        except FileNotFoundError:
            if name != places.cluster.revoked.name:
                say("The cluster has no certificate yet, which the door's start makes: docker compose up -d")
            return
        os.chown(places.own_cluster.path / name, user.uid, user.gid)


def _give_all(folder: int, user: Owner, depth: int) -> None:
    """By descriptor, so that whatever takes a name's place meanwhile, nothing outside of the folder is met."""
    for name in os.listdir(folder):
        # It may go away, or become something else, at any moment.
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if _give(name, user, folder) and depth:
                with opened_folder(name, folder) as child:
                    _give_all(child, user, depth - 1)


def _give(name: str, user: Owner, folder: int) -> bool:
    """Hands one name over, a link itself and not what it leads to; whether it is a folder."""
    status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    if (status.st_uid, status.st_gid) != (user.uid, user.gid):
        os.chown(name, user.uid, user.gid, dir_fd=folder, follow_symlinks=False)
    return stat.S_ISDIR(status.st_mode)
