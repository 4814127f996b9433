"""Which clone and which folder were served last: another one in their place is told, and nothing is done about it."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from entrypoint.files.errors import Problem
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted

# What Compose mounts where a secret isn't set, and so tells where the clone lies.
UNSET = "/image/empty"
# Of every installation, until each was named after its folder.
FORMER_NAME = "workhorse"


@dataclass(frozen=True)
class Installation:
    """What a start found.

    Args:
        clone: The clone's folder on the host, as far as its file system shows; empty where that can't be told.
        device, inode: Of the notebooks' folder (stat(2)).
    """

    clone: str
    device: int
    inode: int
    is_empty: bool


def find_installation(places: Places) -> Installation:
    """As it is now."""
    status = places.repositories.stat()
    try:
        is_empty = not os.listdir(places.repositories)
    except PermissionError:
        is_empty = False
    mounts = ""
    with contextlib.suppress(OSError):
        mounts = (places.root / "proc/self/mountinfo").read_text(errors="replace")
    return Installation(clone_of(mounts), status.st_dev, status.st_ino, is_empty)


def clone_of(mounts: str) -> str:
    """The folder of the clone.

    Args:
        mounts: /proc/self/mountinfo (proc_pid_mountinfo(5)); the fourth word is what of a file system is mounted.
    """
    roots = (line.split()[3] for line in mounts.splitlines() if " /run/secrets/" in line)
    return next((root.removesuffix(UNSET) for root in roots if root.endswith(UNSET)), "")


def read_installation(path: Path) -> Installation | None:
    """What was served last; None where that isn't known."""
    try:
        return _read(**json.loads(read_untrusted(path)))
    except (OSError, ValueError, TypeError, RecursionError):
        return None


def _read(clone: str, device: int, inode: int, is_empty: bool) -> Installation:
    """Raises ValueError or TypeError where a value is not what was written."""
    if not (isinstance(clone, str) and clone.isprintable()):
        raise ValueError("the clone's folder is no text")
    return Installation(clone, int(device), int(inode), bool(is_empty))


def write_installation(path: Path, found: Installation) -> None:
    write_private(path, json.dumps(asdict(found)).encode())


def changes(before: Installation | None, now: Installation, host_folder: str) -> Iterator[Problem]:
    """What is in another's place, each with what to do if that isn't meant."""
    if before is None:
        return
    if now.is_empty and not before.is_empty and (now.device, now.inode) != (before.device, before.inode):
        yield Problem(
            f"The notebooks' folder {host_folder} is empty, and another one than was served last.",
            "If its disk wasn't mounted yet, mount it, then: docker compose restart",
        )
    if before.clone and now.clone and now.clone != before.clone:
        yield Problem(
            f"This was started last from the clone in {before.clone}, and now from {now.clone}.",
            "If that is another clone, it shares the first one's work. For one of its own, in .env: "
            "COMPOSE_PROJECT_NAME=workhorse-2   then: docker compose up -d",
        )


def tell_new_volumes(clone: str) -> str | None:
    """What a person should know whose clone had other volumes until it was named after its folder; None for others."""
    if not clone or clone.endswith(f"/{FORMER_NAME}"):
        return None
    return (
        f"The volumes are new. Those of an earlier Workhorse are called {FORMER_NAME}, whatever its folder is called. "
        f"To go on with them, put COMPOSE_PROJECT_NAME={FORMER_NAME} into .env, then: docker compose up -d"
    )


def keep_installation(places: Places, host_folder: str) -> list[str]:
    """Tells what has changed since the last start, and keeps what this one found.

    A folder that is missing its disk is not kept, so that it is told until the disk is there.
    """
    before, now = read_installation(places.installation), find_installation(places)
    told = list(changes(before, now, host_folder))
    if before is None or not now.is_empty or (now.device, now.inode) == (before.device, before.inode):
        write_installation(places.installation, now)
    return [str(problem) for problem in told]
