"""The page that stands for the server's bare address: JupyterLab for computers, Jupyter Notebook for phones."""

from __future__ import annotations

from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

LAB, TREE = "lab", "tree"
# What browsers on phones, and none on computers or large tablets, have in their names (MDN, "Browser detection using
# the user agent"); Chromium says it by a header of its own, too (User-Agent Client Hints).
MOBILE, HINT = "Mobi", "Sec-CH-UA-Mobile"


def offer_first_page(web_app: Any) -> None:
    """In the place of Jupyter's own redirection, which leads everybody to JupyterLab."""
    web_app.add_handlers(".*$", [(f"{web_app.settings['base_url']}?", FirstPage)])


def first_page(user_agent: str, hint: str) -> str:
    return TREE if MOBILE in user_agent or hint == "?1" else LAB


class FirstPage(JupyterHandler):
    """Bookmarks of either page stay what they are."""

    @authenticated
    def get(self) -> None:
        self.set_header("Vary", f"User-Agent, {HINT}")
        self.set_header("Cache-Control", "no-store")
        headers = self.request.headers
        self.redirect(f"{self.base_url}{first_page(headers.get('User-Agent', ''), headers.get(HINT, ''))}")
