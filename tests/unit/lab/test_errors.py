"""Errors of the lab's, which have the look of the door's own pages."""

from __future__ import annotations

import re
from pathlib import Path

ENTRYPOINT = Path(__file__).parents[3] / "entrypoint"


def styles(page: str) -> set[str]:
    found = re.search(r"<style>\n(.*)  </style>", (ENTRYPOINT / page).read_text(), re.DOTALL)
    assert found
    return set(found[1].splitlines())


def test_what_styles_an_error_stands_in_the_door_s_own_pages_too() -> None:
    assert styles("lab/html/error.html") <= styles("proxy/html/layout.html")
