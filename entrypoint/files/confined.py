"""Runs in a process of its own what reads files that are traps: for its memory, or because it would never end."""

from __future__ import annotations

import multiprocessing
import resource
from collections.abc import Callable
from multiprocessing.connection import Connection

# Not spawned: that would take as long as the reading of a small database, and there may be thousands.
FORK = multiprocessing.get_context("fork")
MEMORY_BYTES = 1 << 29
ANSWER_BYTES = 1 << 24

Tell = Callable[[], None]
Work = Callable[[Tell], bytes]


def confined(work: Work, silence_seconds: float, file_bytes: int = resource.RLIM_INFINITY) -> bytes:
    """What a function returns in a child with half a gibibyte of memory.

    Args:
        work: The function; what it is given, it calls to say that it gets on.
        silence_seconds: After so long without a word it is given up.
        file_bytes: As large may a file become.

    Raises:
        OSError: Why it came to nothing.
    """
    reading, writing = FORK.Pipe(duplex=False)
    child = FORK.Process(target=_work, args=(work, writing, file_bytes), daemon=True)
    try:
        child.start()
        writing.close()
        return _answer(reading, silence_seconds)
    finally:
        reading.close()
        if child.pid:
            child.kill()
            child.join()


def _answer(reading: Connection, silence_seconds: float) -> bytes:
    while reading.poll(silence_seconds):
        try:
            answer = reading.recv_bytes(ANSWER_BYTES)
        except EOFError:
            raise OSError("it was ended, perhaps for memory") from None
        if answer[:1] == b"=":
            return answer[1:]
        if answer:
            raise OSError(answer[1:].decode("utf-8", "replace"))
    raise TimeoutError(f"nothing came of it for {silence_seconds:.0f} seconds")


def _work(work: Work, writing: Connection, file_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
    try:
        answer = b"=" + work(lambda: writing.send_bytes(b""))
    # Whatever a trap brings about is a reason for the parent, which leaves that one out.
    except BaseException as error:
        answer = b"!" + (str(error) or type(error).__name__).encode("utf-8", "backslashreplace")
    writing.send_bytes(answer)
