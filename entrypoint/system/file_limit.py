"""How many files the server may have open: as many as the system lets it, and its kernels what they are used to."""

from __future__ import annotations

import os
import resource
from collections.abc import Sequence

_INHERITED = resource.getrlimit(resource.RLIMIT_NOFILE)


def raise_file_limit() -> None:
    """Raises the soft limit to the hard one: a websocket takes five or more, and Docker's usual soft limit is 1024.

    Not for what people run. Programs that wait with select(2) overwrite their own memory when a file has a number
    above 1023, and the soft limit of 1024 is what guards them; others close, one by one, all that there might be.
    """
    hard = _INHERITED[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    # Terminals are forked by Python.
    os.register_at_fork(after_in_child=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, _INHERITED))


def restore_file_limit() -> None:
    """For what this process becomes."""
    resource.setrlimit(resource.RLIMIT_NOFILE, _INHERITED)


def with_inherited_limit(command: Sequence[str]) -> list[str]:
    """A command that runs with the limit that this process was started with."""
    return ["prlimit", f"--nofile={_INHERITED[0]}:{_INHERITED[1]}", "--", *command]
