"""The door: who may come in, how often a stranger may guess, and what a person at the form is told."""

from __future__ import annotations

import asyncio
import math
import os
import secrets
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import PasswordIdentityProvider, User
from jupyter_server.auth.login import LoginFormHandler
from jupyter_server.auth.security import passwd_check
from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError
from traitlets import Bool, Unicode

from entrypoint.clients import client_address, client_group, parse_networks
from entrypoint.errors import WorkhorseError
from entrypoint.limiter import DEVICE, Limiter
from entrypoint.logins import Login, added, browser_name, read_logins, write_logins
from entrypoint.places import Places
from entrypoint.private_files import write_private
from entrypoint.second_factor import check, from_json, to_json
from entrypoint.strangers import bound_strangers

# What a stranger gets to see; each may be asked for without a login, and nothing else.
PUBLIC_PATHS = ("login", "logout", "health", "static/favicon.ico", "trust")
DEVICE_COOKIE = "workhorse-device"
DEVICE_DAYS = 400  # browsers keep no cookie for longer (draft-ietf-httpbis-rfc6265bis)
NICENESS = 10
FORM_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; form-action 'self'; base-uri 'none'; "
FORM_POLICY += "frame-ancestors 'none'"


class Door(PasswordIdentityProvider):
    """Jupyter's password login, with a limit on guesses and one place that decides what strangers see."""

    trusted_proxies = Unicode(config=True, help="Addresses and networks whose X-Forwarded-For counts.")
    second_factor = Bool(False, config=True, help="Whether a code is asked for besides the password.")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.places = Places()
        self.limiter = Limiter()
        self.proxies = parse_networks(self.trusted_proxies)
        self.logins = read_logins(self.places.logins)
        # argon2 takes long by design, so it runs beside the event loop, one guess at a time, and gives way to the
        # kernels. Known devices have a lane of their own, past the strangers' queue.
        self.lanes = {known: ThreadPoolExecutor(1, initializer=_give_way) for known in (False, True)}

    def validate_security(self, app: Any, ssl_options: dict[str, Any] | None = None) -> None:
        """Jupyter asks for this once its web application stands, before anybody can come."""
        super().validate_security(app, ssl_options)
        bound_strangers(app.web_app)

    async def get_user(self, handler: JupyterHandler) -> User | None:
        user: User | None = await self._get_user(handler)
        if user is None and not is_public(handler):
            raise HTTPError(403)
        return user

    def budget(self, handler: JupyterHandler) -> str:
        """Whose guesses are counted: those of a browser that has logged in before, or of an address."""
        device = handler.get_signed_cookie(DEVICE_COOKIE, max_age_days=DEVICE_DAYS)
        if device:
            return DEVICE + str(device.decode())
        return client_group(handler.request.remote_ip, self._forwarded_for(handler), self.proxies)

    def _forwarded_for(self, handler: JupyterHandler) -> str | None:
        return ",".join(handler.request.headers.get_list("X-Forwarded-For")) or None

    async def verify(self, password: str, code: str, is_known: bool) -> bool:
        """Whether password and code are right; both are always checked, so that time tells nothing."""
        loop = asyncio.get_running_loop()
        hashed = self.hashed_password
        is_right: bool = await loop.run_in_executor(self.lanes[is_known], passwd_check, hashed, password)
        # A guess may wait in its lane for as long as it takes to replace the password.
        is_right = is_right and hashed == self.hashed_password
        return self._spend(code, is_right) if self.second_factor else is_right

    def _spend(self, code: str, password_is_right: bool) -> bool:
        """Checks a code, and spends it only beside the right password; without an await, so it can't serve twice."""
        try:
            after = check(from_json(self.places.second_factor.read_text()), code, datetime.now(UTC))
        except (OSError, ValueError):
            self.log.warning(
                "TOTP is on, but no phone is enrolled, or not soundly, so nobody can log in: "
                "docker compose exec workhorse workhorse totp"
            )
            return False
        if after is None or not password_is_right:
            return False
        try:
            write_private(self.places.second_factor, to_json(after).encode(), None)
        except WorkhorseError as error:
            self.log.warning("A right code is refused, since it can't be kept as spent: %s", error)
            return False
        return True

    def note(self, handler: JupyterHandler, success: bool) -> None:
        """Keeps who was at the door."""
        address = client_address(handler.request.remote_ip, self._forwarded_for(handler), self.proxies)
        agent = browser_name(handler.request.headers.get("User-Agent", ""))
        login = Login(datetime.now(UTC).isoformat(timespec="seconds"), address, agent, success)
        self.logins = added(self.logins, login)
        self.log.warning("%s from %s (%s).", "Login" if success else "A wrong password", address, agent)
        try:
            write_logins(self.places.logins, self.logins)
        except WorkhorseError as error:
            self.log.warning("%s", error)


def _give_way() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def is_public(handler: JupyterHandler) -> bool:
    """Whether a stranger may ask for this; else pages lead to the form, and everything more is refused."""
    path = handler.request.path.removeprefix(handler.base_url)
    if path in PUBLIC_PATHS or path.startswith("trust/"):
        return True
    method = getattr(handler, handler.request.method.lower(), None)
    # What Jupyter itself would guard is left to it: it knows which pages lead to the form.
    return not getattr(method, "__allow_unauthenticated", False)


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
        is_known = budget.startswith(DEVICE)
        is_right = await door.verify(
            self.get_body_argument("password", ""), self.get_body_argument("code", ""), is_known
        )
        door.note(self, is_right)
        if not is_right:
            self.set_status(401)
            self._tell("This is not the password." if not door.second_factor else "Password or code is not right.")
            return
        door.limiter.succeeded(budget)
        self._let_in(door)

    def _let_in(self, door: Door) -> None:
        self.current_user = door.generate_anonymous_user(self)
        door.set_login_cookie(self, self.current_user)
        options = {"expires_days": DEVICE_DAYS, "path": self.base_url, "httponly": True, "secure": True}
        if not self.get_signed_cookie(DEVICE_COOKIE, max_age_days=DEVICE_DAYS):
            self.set_signed_cookie(DEVICE_COOKIE, secrets.token_hex(16), samesite="Lax", **options)
        self._redirect_safe(self.get_argument("next", default=self.base_url))

    def _refuse(self, wait_seconds: float) -> None:
        seconds = math.ceil(wait_seconds)
        self.set_status(429)
        self.set_header("Retry-After", str(seconds))
        self._tell(
            f"Too many wrong passwords. Try again in {_duration(seconds)}. "
            "A browser that has logged in here before need not wait for others' guesses."
        )

    def _tell(self, text: str) -> None:
        self._render({"error": text})

    def render_template(self, name: str, **values: Any) -> Any:
        return super().render_template(name, second_factor=self.identity_provider.second_factor, **values)


def _duration(seconds: int) -> str:
    return f"{seconds} second{'s' * (seconds != 1)}" if seconds < 90 else f"{math.ceil(seconds / 60)} minutes"


class HealthHandler(JupyterHandler):
    """Says that the server answers, and nothing about it."""

    @allow_unauthenticated
    def get(self) -> None:
        self.set_header("Content-Type", "text/plain")
        self.finish("ok\n")
