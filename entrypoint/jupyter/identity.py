"""Who asks: the person, since the door has let them in."""

from __future__ import annotations

from typing import Any

from jupyter_server.auth.identity import IdentityProvider, User
from traitlets import default


class LetInByTheDoor(IdentityProvider):
    """Whoever comes by the socket has passed the login; Jupyter's own stays for a server without a door."""

    @default("token")
    def _token_default(self) -> str:
        return ""

    def get_user(self, handler: Any) -> User:
        return User(username="workhorse", name="Workhorse", display_name="Workhorse", initials="W")
