"""The door's own pages, of which the lab has no part."""

from __future__ import annotations

from pathlib import Path

from tornado.template import Loader

PAGES = Path(__file__).parent / "html"
ICON = "/static/favicon.ico"
# Of a page with nothing to send; nothing in it runs, and nobody frames it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
POLICY += "form-action 'none'"


_loader = Loader(str(PAGES))


def rendered(page: str, **values: object) -> bytes:
    """The page in UTF-8, each value escaped."""
    html: bytes = _loader.load(page).generate(icon=ICON, **values)
    return html
