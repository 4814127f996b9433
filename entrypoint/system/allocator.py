"""What the C library keeps of memory that Python has given back (mallopt(3), malloc_trim(3))."""

from __future__ import annotations

import ctypes

_libc = ctypes.CDLL(None)
M_ARENA_MAX = -8
# One for the event loop, and one for the threads beside it: each thread its own would keep what the largest notebook
# took, and there are dozens.
ARENAS = 2


def bound_arenas() -> None:
    """To be called before there are threads."""
    _libc.mallopt(M_ARENA_MAX, ARENAS)


def trim() -> None:
    """Gives back to the system what a crowd took, which else is kept for the next one."""
    _libc.malloc_trim(0)
