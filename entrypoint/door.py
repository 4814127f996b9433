"""The login: the form a person sees, and what it says when the password is wrong."""

from __future__ import annotations

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler


class LoginHandler(LoginFormHandler):
    """Jupyter's own handler, with a message that a person understands."""

    @allow_unauthenticated
    def post(self) -> None:
        super().post()

    def _render(self, message: dict[str, str] | None = None) -> None:
        super()._render({"error": "This is not the password."} if message else None)
