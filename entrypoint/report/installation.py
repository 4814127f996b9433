"""Which clone was started last: another one in its place is told, and nothing is done about it.

From in here, a clone that was moved, or copied to another disk, looks the same and has to come up. Nor would a refusal
keep the first one's containers: Compose has replaced those of all services before anything that a service runs, of one
that the others depend on too. What is asked before can refuse: `host/up`, which sees both folders, and `check`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path, PurePath

from entrypoint.files.errors import Problem
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted

# What Compose mounts where a secret isn't set, and so tells where the clone lies.
UNSET = "/image/empty"
# Of every installation, until each was named after its folder.
FORMER_NAME = "workhorse"


def find_clone(places: Places) -> str:
    """The clone's folder on the host, as far as its file system shows; empty where that can't be told."""
    try:
        return clone_of((places.root / "proc/self/mountinfo").read_text(errors="replace"))
    except OSError:
        return ""


def clone_of(mounts: str) -> str:
    """The folder of the clone.

    Args:
        mounts: /proc/self/mountinfo (proc_pid_mountinfo(5)); the fourth word is what of a file system is mounted.
    """
    roots = (line.split()[3] for line in mounts.splitlines() if " /run/secrets/" in line)
    return next((root.removesuffix(UNSET) for root in roots if root.endswith(UNSET)), "")


def read_clone(path: Path) -> str:
    """Which one was started last; empty where that isn't known."""
    try:
        clone = json.loads(read_untrusted(path))["clone"]
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return ""
    return clone if isinstance(clone, str) and clone.isprintable() else ""


def write_clone(path: Path, clone: str) -> None:
    write_private(path, json.dumps({"clone": clone}).encode())


def changes(before: str, now: str) -> Iterator[Problem]:
    """That another clone is in the first one's place, with what to do if that isn't meant."""
    if before and now and now != before:
        yield Problem(
            f"This was started last from the clone in {before}, and now from {now}.",
            "If that is another clone, it shares the first one's work. For one of its own, in .env: "
            "COMPOSE_PROJECT_NAME=workhorse-2   then: docker compose up -d",
        )


def tell_new_volumes(places: Places) -> str | None:
    """What a person should know whose clone had other volumes until it was named after its folder; None for others."""
    clone = find_clone(places)
    # Nor has one that the README's first line has made, which puts the person's name behind.
    if not clone or PurePath(clone).name.partition("-")[0] == FORMER_NAME:
        return None
    return (
        f"The volumes are new. Those of an earlier Workhorse are called {FORMER_NAME}, whatever its folder is called. "
        f"To go on with them, put COMPOSE_PROJECT_NAME={FORMER_NAME} into .env, then: docker compose up -d"
    )


def keep_installation(places: Places) -> list[str]:
    """Tells what has changed since the last start, and keeps what this one found."""
    before, now = read_clone(places.installation), find_clone(places)
    if now and now != before:
        write_clone(places.installation, now)
    return list(map(str, changes(before, now)))
