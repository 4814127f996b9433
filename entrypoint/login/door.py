"""The door: who may come in, how often a stranger may guess, and what is kept of it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import WeakSet

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.auth.identity import PasswordIdentityProvider, User
from jupyter_server.auth.security import passwd_check
from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.services.kernels.handlers import KernelHandler
from tornado.web import HTTPError
from tornado.websocket import WebSocketHandler
from traitlets import Bool, Unicode

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted
from entrypoint.login.devices import device_of
from entrypoint.login.guesses import KeptCounts, read_limiter
from entrypoint.login.logins import Login, added, browser_name, read_logins, write_logins
from entrypoint.login.second_factor import NOBODY_ENROLLED, check, read_second_factor, to_json
from entrypoint.settings.clients import client_address, client_group, parse_networks
from entrypoint.strangers.behalf import in_own_name
from entrypoint.strangers.bounds import bound_strangers

# What a stranger gets to see; each may be asked for without a login, and nothing else.
PUBLIC_PATHS = ("login", "logout", "health", "static/favicon.ico", "trust")
NICENESS = 10
GOING_AWAY = 1001  # RFC 6455, section 7.4.1; JupyterLab doesn't come back by itself
LOGGED_OUT = "You are logged out; your kernels run on. Log in in another tab, then go on in this one."


@dataclass(frozen=True)
class Verdict:
    """What of a guess was right."""

    password: bool
    code: bool

    @property
    def opens(self) -> bool:
        return self.password and self.code


class Door(PasswordIdentityProvider):
    """Jupyter's password login, with a limit on guesses and one place that decides what strangers see."""

    trusted_proxies = Unicode(config=True, help="Addresses and networks whose X-Forwarded-For counts.")
    second_factor = Bool(False, config=True, help="Whether a code is asked for besides the password.")

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.places = Places()
        self.limiter = read_limiter(self.places.guesses)
        self.proxies = parse_networks(self.trusted_proxies)
        self.device_secret = read_untrusted(self.places.device_secret)
        self.logins = read_logins(self.places.logins)
        # argon2 takes long by design, so it runs beside the event loop, one guess at a time, and gives way to the
        # kernels. Known devices have a lane of their own, past the strangers' queue: so at worst two run at once.
        self.lanes = {known: ThreadPoolExecutor(1, initializer=_give_way) for known in (False, True)}
        # What is written may have to wait for the disk. One at a time, so that no code can serve twice.
        self.desk = ThreadPoolExecutor(1)
        self.counts = KeptCounts(self.limiter, self.places.guesses, self.desk, self.log)
        self.websockets: WeakSet[WebSocketHandler] = WeakSet()

    def close(self) -> None:
        """Lets the guesses drop that still wait, or the process would work off all of them before it ends."""
        for lane in self.lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)

    @property
    def auth_enabled(self) -> bool:
        """Whatever becomes of the hash: without one Jupyter would let everybody in."""
        return True

    def validate_security(self, app: Any, ssl_options: dict[str, Any] | None = None) -> None:
        """Jupyter asks for this once its web application stands, before anybody can come."""
        super().validate_security(app, ssl_options)
        bound_strangers(app.web_app, app.log)

    async def get_user(self, handler: JupyterHandler) -> User | None:
        user: User | None = await self._get_user(handler)
        if user is None and not is_public(handler):
            raise HTTPError(403)
        if user is None and isinstance(handler, APIHandler):
            # JupyterLab shows the reason. Of one kernel it asks again by itself for a 424, and calls it dead for a 403.
            raise HTTPError(424 if isinstance(handler, KernelHandler) else 403, LOGGED_OUT)
        if user and isinstance(handler, WebSocketHandler):
            self.websockets.add(handler)
        return user

    def log_out(self, user: User) -> None:
        """Ends what the browser of one login holds open: nobody asks a websocket for its cookie again."""
        for websocket in [each for each in self.websockets if each.current_user.username == user.username]:
            websocket.close(GOING_AWAY)

    def budget(self, handler: JupyterHandler) -> str:
        """Whose guesses are counted: those of a browser that has logged in before, or of an address."""
        address = client_group(handler.request.remote_ip, self._forwarded_for(handler), self.proxies)
        return device_of(handler, self.device_secret) or address

    def _forwarded_for(self, handler: JupyterHandler) -> str | None:
        return ",".join(handler.request.headers.get_list("X-Forwarded-For")) or None

    async def judge(self, handler: JupyterHandler, password: str, code: str, is_known: bool) -> bool:
        """Whether password and code are right; both are always checked, so that time tells nothing."""
        run, hashed = asyncio.get_running_loop().run_in_executor, self.hashed_password
        is_right = await run(self.lanes[is_known], passwd_check, hashed, password)
        verdict = Verdict(is_right, not self.second_factor or await run(self.desk, self._spend, code, is_right))
        await run(self.desk, write_or_say, self.log, self.places.logins, self.note(handler, verdict))
        # A guess may wait for as long as it takes to replace the password.
        return verdict.opens and hashed == self.hashed_password

    def _spend(self, code: str, password_is_right: bool) -> bool:
        """Whether a code is right; beside the right password, it is spent."""
        factor = read_second_factor(self.places.second_factor)
        if factor is None:
            self.log.warning("%s", NOBODY_ENROLLED)
            return False
        after = check(factor, code, datetime.now(UTC))
        if after is None or not password_is_right:
            return after is not None
        try:
            write_private(self.places.second_factor, to_json(after).encode())
        except WorkhorseError as error:
            self.log.warning("A right code is refused, since it can't be kept as spent: %s", error)
            return False
        return True

    def note(self, handler: JupyterHandler, verdict: Verdict) -> list[Login]:
        """Says who was at the door; returns the list to keep."""
        address = client_address(handler.request.remote_ip, self._forwarded_for(handler), self.proxies)
        agent = browser_name(handler.request.headers.get("User-Agent", ""))
        now = datetime.now(UTC).isoformat(timespec="seconds")
        knew_password = verdict.password and not verdict.opens
        self.logins = added(self.logins, Login(now, address, agent, verdict.opens, knew_password=knew_password))
        wrong = "The right password with a wrong or used code" if knew_password else "A wrong password"
        said = "Login" if verdict.opens else wrong
        # As many as the limiter admits.
        in_own_name(self.log.warning, "%s from %s (%s).", said, address, agent)
        return self.logins


def write_or_say(log: logging.Logger, path: Path, logins: list[Login]) -> None:
    try:
        write_logins(path, logins)
    except WorkhorseError as error:
        log.warning("%s", error)


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


class HealthHandler(JupyterHandler):
    """Says that the server answers, and nothing about it."""

    @allow_unauthenticated
    def get(self) -> None:
        self.set_header("Content-Type", "text/plain")
        self.finish("ok\n")
