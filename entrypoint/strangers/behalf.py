"""On whose behalf the process acts at the moment: a stranger's, or a logged-in person's and its own."""

from __future__ import annotations

import contextvars
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

# asyncio hands it on to whatever a connection or a request sets going, whenever that runs. By request, not by
# connection: a reverse proxy sends everybody's over one.
_is_for_a_stranger: ContextVar[bool] = ContextVar("is_for_a_stranger", default=False)


def is_for_a_stranger() -> bool:
    return _is_for_a_stranger.get()


def now_for_a_stranger(is_so: bool) -> None:
    """Holds for what the current task does from here on."""
    _is_for_a_stranger.set(is_so)


@contextmanager
def for_a_stranger() -> Iterator[None]:
    """Holds for what is set going meanwhile."""
    own = _is_for_a_stranger.set(True)
    try:
        yield
    finally:
        _is_for_a_stranger.reset(own)


def in_own_name(act: Callable[..., object], *arguments: Any) -> None:
    """Does what is the server's own to do, whoever was the occasion."""
    contextvars.Context().run(act, *arguments)
