"""Tells who has just logged in about the login before, by the way that JupyterLab has for news about updates."""

from __future__ import annotations

from jupyterlab.handlers.announcements import CheckForUpdateABC

from entrypoint.logins import last_before_this, read_logins
from entrypoint.places import Places


class LastLogin(CheckForUpdateABC):
    """Asks nobody for updates."""

    async def __call__(self) -> str | None:
        return last_before_this(read_logins(Places().logins))
