"""The door's own pages, of which the lab has no part."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader

PAGES = Path(__file__).parents[1] / "door" / "pages"
ICON = "/static/favicon.ico"
# Of a page with nothing to send; nothing in it runs, and nobody frames it.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; frame-ancestors 'none'; "
POLICY += "form-action 'none'"


def rendered(page: str, **values: object) -> str:
    return _environment().get_template(page).render(icon=ICON, **values)


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(PAGES), autoescape=True, auto_reload=False)
