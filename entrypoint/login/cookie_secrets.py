"""The secrets that sign cookies: one for logins, and one for browsers that have logged in before."""

from __future__ import annotations

import re
import secrets

SECRET_BYTES = 32

_SECRET = re.compile(rf"[0-9a-f]{{{2 * SECRET_BYTES}}}")


def new_secret() -> str:
    return secrets.token_hex(SECRET_BYTES)


def is_secret(text: str) -> bool:
    """Whether it may sign: an empty one would sign for anybody."""
    return _SECRET.fullmatch(text) is not None
