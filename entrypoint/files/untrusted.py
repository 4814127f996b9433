"""Reads what people's code may have put anywhere, and prints what it has named: bounded, and never held up."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

# Of every file that Workhorse keeps, the longest is a tenth of this.
BYTES_MAX = 1 << 20
CHARACTERS_SHOWN = 200
LINE_MAX = 10_000


def read_untrusted(path: Path | str, limit: int = BYTES_MAX, follow: bool = False) -> bytes:
    """The content of a regular file, whatever else may stand in its place.

    Args:
        limit: In bytes.
        follow: Whether a link may lead to it, as it does where people link files themselves.

    Raises:
        OSError: It isn't there, can't be read, is no regular file, or is longer.
    """
    # Without O_NONBLOCK, opening a pipe waits for a writer.
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    descriptor = os.open(path, flags)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file", str(path))
        content = b""
        while len(content) <= limit and (more := os.read(descriptor, limit + 1 - len(content))):
            content += more
    finally:
        os.close(descriptor)
    if len(content) > limit:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), str(path))
    return content


def read_linked(path: Path, limit: int = BYTES_MAX) -> bytes:
    """The same for a file that people link themselves, on the host or in their home."""
    return read_untrusted(path, limit, follow=True)


def shown(text: str, limit: int = CHARACTERS_SHOWN) -> str:
    """A text of others' for a terminal, which control characters and changes of direction would make say anything.

    Args:
        limit: How many characters are shown; of more, those in the middle are left out.
    """
    half = limit // 2
    short = text if len(text) <= limit else f"{text[:half]}...{text[-half:]}"
    # Not printable are controls, formats, surrogates, separators but the space, and what Unicode hasn't assigned.
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode() for character in short
    )


def shown_lines(text: str) -> str:
    """The same for a text of our own in several lines, in which others' words stand."""
    return "\n".join(shown(line, LINE_MAX) for line in text.split("\n"))
