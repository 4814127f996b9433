"""Tells who has just logged in about the login before, by the way that JupyterLab has for news."""

from __future__ import annotations

import hashlib
import time
from typing import Any

from jupyterlab.handlers.announcements import NewsHandler
from tornado.web import authenticated

from entrypoint.logins import last_before_this, read_logins
from entrypoint.places import Places


@authenticated
async def get_news(handler: Any) -> None:
    """Answers JupyterLab's request for news with the one thing that is worth telling here."""
    text = last_before_this(read_logins(Places().logins))
    handler.finish({"news": [notice(text)] if text else []})


def notice(text: str) -> dict[str, Any]:
    """A notification in JupyterLab's form; each text has an id, so that it shows once."""
    now = time.time() * 1000
    return {
        "message": text,
        "type": "warning" if " since: " in text else "info",
        "createdAt": now,
        "modifiedAt": now,
        "link": [],
        "options": {"data": {"id": hashlib.sha256(text.encode()).hexdigest(), "tags": ["news"]}},
    }


def tell_last_login() -> None:
    """Puts this in the place of Jupyter's news, which nobody asks the internet for."""
    NewsHandler.get = get_news
