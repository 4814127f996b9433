"""Writes files that everybody may read: what the start and the server know, for commands and kernels."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from entrypoint.files.private import set_aside


def write_public(path: Path, content: bytes) -> None:
    """Replaces a file in one step, since it may be read at any moment."""
    # By a name that nobody can foresee, and never through what stands there.
    half = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o644)
    try:
        with open(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o644)
            file.write(content)
        try:
            half.replace(path)
        except IsADirectoryError:
            set_aside(path)
            half.replace(path)
    except OSError:
        half.unlink(missing_ok=True)
        raise
