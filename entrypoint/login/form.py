"""The login form, and what a person at it is told."""

from __future__ import annotations

import math
import time
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.login import LoginFormHandler

from entrypoint.login.devices import device_of, make_known
from entrypoint.login.door import Door
from entrypoint.login.second_factor import NOBODY_ENROLLED, read_second_factor
from entrypoint.strangers.limiter import DEVICE

FORM_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none'; "
FORM_POLICY += "frame-ancestors 'none'"

WRONG = "This is not the password."
# Not which of the two, or a stranger could guess one after the other.
WRONG_CODE = "Password or code is not right. Each code works once."


class LoginHandler(LoginFormHandler):
    """The form."""

    @property
    def content_security_policy(self) -> str:
        return FORM_POLICY

    @allow_unauthenticated
    async def post(self) -> None:
        door: Door = self.identity_provider
        budget = door.budget(self)
        if wait := door.limiter.begin(budget, time.monotonic()):
            self._refuse(wait)
            return
        # Before it is known whether the guess is right, or a crash would give it back.
        await door.counts.keep()
        is_known = budget.startswith(DEVICE)
        password, code = (self.get_body_argument(name, "") for name in ("password", "code"))
        if not await door.judge(self, password, code, is_known):
            self.set_status(401)
            self._tell(WRONG_CODE if door.second_factor else WRONG)
            return
        door.limiter.succeeded(budget)
        await door.counts.keep()
        self._let_in(door)

    def _let_in(self, door: Door) -> None:
        self.current_user = door.generate_anonymous_user(self)
        door.set_login_cookie(self, self.current_user)
        if not device_of(self, door.device_secret):
            make_known(self, door.device_secret)
        self._redirect_safe(self.get_argument("next", default=self.base_url))

    def _redirect_safe(self, url: str, default: str | None = None) -> None:
        """Jupyter's own, but to the start page where an address can't be read or sent, or seems to name a host."""
        try:
            super()._redirect_safe(self.base_url if url.startswith(("//", "/\\", "\\")) else url, default)
        except ValueError:
            self.redirect(self.base_url)

    def _refuse(self, wait_seconds: float) -> None:
        seconds = math.ceil(wait_seconds)
        self.set_status(429)
        self.set_header("Retry-After", str(seconds))
        # Who waits so long, waits for others' guesses too.
        others = " A browser that has logged in here before need not wait for others' guesses."
        self._tell(f"Too many wrong passwords. Try again in {_duration(seconds)}.{others if seconds >= 60 else ''}")

    def _tell(self, text: str) -> None:
        self._render({"error": text})

    def render_template(self, name: str, **values: Any) -> Any:
        door: Door = self.identity_provider
        is_open = not door.second_factor or read_second_factor(door.places.second_factor)
        locked_out = None if is_open else NOBODY_ENROLLED
        return super().render_template(name, second_factor=door.second_factor, locked_out=locked_out, **values)


def _duration(seconds: int) -> str:
    return f"{seconds} second{'s' * (seconds != 1)}" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
