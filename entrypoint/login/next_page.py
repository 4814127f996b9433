"""Where a login leads on to: to a page of this server, whatever the address says that brought the person."""

from __future__ import annotations

import re

START = "/"
# One slash and no more: `//host`, and to browsers `/\host`, is another server. What can't be sent in a header is left
# out too, and browsers drop tabs and line ends, so that `/<tab>/host` becomes one.
OWN_PAGE = re.compile(r"/(?![/\\])[^\x00-\x1f\x7f]*")


def own_page(asked: str) -> str:
    """The page that was asked for, or the start."""
    return asked.replace("\\", "%5C") if OWN_PAGE.fullmatch(asked) else START
