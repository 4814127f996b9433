"""Writes files that everybody may read: what the start and the server know, for commands and kernels."""

from __future__ import annotations

import os
from pathlib import Path

from entrypoint.private_files import Owner


def write_public(path: Path, content: bytes, owner: Owner | None = None) -> None:
    """Replaces a file in one step, since it may be read at any moment.

    Args:
        owner: Whose it is to be where root writes it, so that the server's user can replace it later.
    """
    half = path.with_name(f"{path.name}.new")
    # Not even root may write to another's file in a folder that is open to all (protected_regular, proc_sys_fs(5)).
    half.unlink(missing_ok=True)
    half.write_bytes(content)
    half.chmod(0o644)
    if owner:
        os.chown(half, owner.uid, owner.gid)
    half.replace(path)
