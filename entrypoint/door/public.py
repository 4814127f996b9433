"""What the door gives to anybody, besides its form: that it answers, and its icons."""

from __future__ import annotations

from functools import cache

from entrypoint.proxy.pages import PAGES
from entrypoint.proxy.refusals import RefusingHandler

DAY_SECONDS = 24 * 3600


class HealthHandler(RefusingHandler):
    """Says that the server answers, and nothing about it."""

    def get(self) -> None:
        self.set_header("Content-Type", "text/plain")
        self.finish("ok\n")


class IconHandler(RefusingHandler):
    """An icon, in the place where JupyterLab has its own."""

    def initialize(self, name: str) -> None:
        self.name = name

    def get(self) -> None:
        self.set_header("Content-Type", "image/x-icon")
        self.set_header("Cache-Control", f"public, max-age={DAY_SECONDS}")
        self.finish(icon(self.name))

    head = get


@cache
def icon(name: str) -> bytes:
    return (PAGES / name).read_bytes()
