"""The names of Python packages."""

from __future__ import annotations

import re


def canonical(name: str) -> str:
    """As names of packages are compared (PyPA, name normalization)."""
    return re.sub(r"[-_.]+", "-", name).lower()
