"""The login form, and what a person at it is told."""

from __future__ import annotations

import base64
import hashlib
import math
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from tornado.web import HTTPError

from entrypoint.login.devices import device_of, make_known
from entrypoint.login.door import Door
from entrypoint.login.next_page import START, own_page
from entrypoint.login.second_factor import NOBODY_ENROLLED, read_second_factor
from entrypoint.proxy.pages import PAGES, rendered
from entrypoint.proxy.refusals import RefusingHandler
from entrypoint.strangers.limiter import DEVICE

SCRIPT = (PAGES / "login.js").read_text()
DIGEST = base64.b64encode(hashlib.sha256(SCRIPT.encode()).digest()).decode()
FORM_POLICY = f"default-src 'none'; script-src 'sha256-{DIGEST}'; style-src 'unsafe-inline'; img-src 'self'; "
FORM_POLICY += "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

WRONG = "This is not the password."
# Not which of the two, or a stranger could guess one after the other.
WRONG_CODE = "Password or code is not right. Each code works once."
# Its token doesn't fit the cookie: a page of before, or a browser without cookies.
STALE = "This page was too old, or your browser keeps no cookies. Try again."


class LoginHandler(RefusingHandler):
    """The form."""

    def initialize(self, door: Door, is_private: Callable[[str], bool]) -> None:
        self.door, self.is_private = door, is_private

    def get(self) -> None:
        if self.door.login_of(self.request):
            self._lead_on()
        else:
            self._show()

    async def post(self) -> None:
        door = self.door
        budget = door.budget(self.request)
        if wait := door.limiter.begin(budget, time.monotonic()):
            self._refuse(wait)
            return
        # Before it is known whether the guess is right, or a crash would give it back.
        await door.counts.keep()
        is_known = budget.startswith(DEVICE)
        password, code, recovery = (self.get_body_argument(name, "") for name in ("password", "code", "recovery"))
        if not await door.judge(self.request, password, code or recovery, is_known):
            self.set_status(401)
            self._show(WRONG_CODE if door.lock.second_factor else WRONG)
            return
        door.limiter.succeeded(budget)
        await door.counts.keep()
        door.let_in(self)
        if not device_of(self.request, door.device_secret):
            make_known(self, door.device_secret)
        self._lead_on()

    def _lead_on(self) -> None:
        self.redirect(own_page(self._next()))

    def _next(self) -> str:
        """Also while a refusal is told: what can't be read leads nowhere, and is no second error."""
        try:
            return str(self.get_argument("next", START))
        except HTTPError:
            return START

    def _refuse(self, wait_seconds: float) -> None:
        seconds = math.ceil(wait_seconds)
        self.set_status(429)
        self.set_header("Retry-After", str(seconds))
        # Who waits so long, waits for others' guesses too.
        others = " A browser that has logged in here before need not wait for others' guesses." if seconds >= 60 else ""
        self._show(f"Too many wrong passwords. Try again in {_duration(seconds)}.{others}", seconds)

    def _show(self, message: str = "", wait_seconds: int = 0) -> None:
        door = self.door
        is_open = not door.lock.second_factor or read_second_factor(door.places.second_factor)
        self.set_header("Content-Security-Policy", FORM_POLICY)
        self.set_header("Cache-Control", "no-store")
        self.finish(
            rendered(
                "login.html",
                message=message,
                wait=wait_seconds,
                script=SCRIPT,
                next=quote(self._next(), safe=""),
                token=self.xsrf_form_html(),
                second_factor=door.lock.second_factor,
                is_private=self.is_private(self.request.host_name),
                locked_out=None if is_open else NOBODY_ENROLLED,
            )
        )

    def write_error(self, status_code: int, **about: Any) -> None:
        if status_code == HTTPStatus.FORBIDDEN:
            self._show(STALE)
        else:
            super().write_error(status_code, **about)


def _duration(seconds: int) -> str:
    return f"{seconds} second{'s' * (seconds != 1)}" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"
