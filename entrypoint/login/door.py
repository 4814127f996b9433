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

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted
from entrypoint.login import login_cookie
from entrypoint.login.devices import device_of
from entrypoint.login.guesses import KeptCounts, read_limiter
from entrypoint.login.logins import Login, added, browser_name, read_logins, write_logins
from entrypoint.login.password import verifies
from entrypoint.login.second_factor import NOBODY_ENROLLED, check, read_second_factor, to_json
from entrypoint.proxy.open_connections import OpenConnections
from entrypoint.settings.clients import client_address, client_group, parse_networks
from entrypoint.strangers.behalf import in_own_name

NICENESS = 10


@dataclass(frozen=True)
class Lock:
    """What of the settings says who may come in.

    Args:
        session_days: For how many a login lasts.
        second_factor: Whether a code is asked for besides the password.
        trusted_proxies: Addresses and networks whose X-Forwarded-For counts.
    """

    session_days: int
    second_factor: bool
    trusted_proxies: str


@dataclass(frozen=True)
class Verdict:
    """What of a guess was right."""

    password: bool
    code: bool

    @property
    def opens(self) -> bool:
        return self.password and self.code


class Door:
    """The password login, with a limit on guesses.

    Args:
        hashed_password: As the volume holds it.
        cookie_secret: As the volume holds it.
    """

    def __init__(
        self, places: Places, lock: Lock, hashed_password: str, cookie_secret: bytes, log: logging.Logger
    ) -> None:
        self.places, self.lock, self.log = places, lock, log
        self.take_credentials(hashed_password, cookie_secret)
        self.limiter = read_limiter(places.guesses)
        self.proxies = parse_networks(lock.trusted_proxies)
        self.device_secret = read_untrusted(places.device_secret)
        self.logins = read_logins(places.logins)
        # What is open on behalf of each login, and ends with it.
        self.connections = OpenConnections()
        # argon2 takes long by design, so it runs beside the event loop, one guess at a time, and gives way to what
        # people do. Known devices have a lane of their own, past the strangers' queue: so at worst two run at once.
        self.lanes = {known: ThreadPoolExecutor(1, initializer=_give_way) for known in (False, True)}
        # What is written may have to wait for the disk. One at a time, so that no code can serve twice.
        self.desk = ThreadPoolExecutor(1)
        self.counts = KeptCounts(self.limiter, places.guesses, self.desk, log)

    def close(self) -> None:
        """Lets the guesses drop that still wait, or the process would work off all of them before it ends."""
        for lane in self.lanes.values():
            lane.shutdown(wait=False, cancel_futures=True)

    def take_credentials(self, hashed_password: str, cookie_secret: bytes) -> None:
        """From now on these count, and no login that others have signed."""
        self.hashed_password = hashed_password
        self.signing = login_cookie.signing_secret(cookie_secret, hashed_password)

    def login_of(self, request: HTTPServerRequest) -> str | None:
        """Which login a request comes with; None for a stranger's."""
        return login_cookie.login_of(request, self.signing, self.lock.session_days)

    def let_in(self, handler: RequestHandler) -> None:
        login_cookie.set_login_cookie(handler, self.signing, self.lock.session_days)

    def log_out(self, login: str) -> None:
        """Ends what the browser of one login holds open: nobody asks a websocket for its cookie again."""
        self.connections.close_login(login)

    def end_logins_that_are_over(self) -> None:
        """After so many days, or with another password or a sign-out, what is open ends too."""
        self.connections.end_where(lambda connection: self.login_of(connection.request) is None)

    def budget(self, request: HTTPServerRequest) -> str:
        """Whose guesses are counted: those of a browser that has logged in before, or of an address."""
        group = client_group(request.remote_ip or "", _forwarded_for(request), self.proxies)
        return device_of(request, self.device_secret) or group

    def address(self, request: HTTPServerRequest) -> str:
        """Where a request comes from, as far as one's own proxies vouch for it."""
        return client_address(request.remote_ip or "", _forwarded_for(request), self.proxies)

    async def judge(self, request: HTTPServerRequest, password: str, code: str, is_known: bool) -> bool:
        """Whether password and code are right; both are always checked, so that time tells nothing."""
        run, hashed = asyncio.get_running_loop().run_in_executor, self.hashed_password
        is_right = await run(self.lanes[is_known], verifies, hashed, password)
        verdict = Verdict(is_right, not self.lock.second_factor or await run(self.desk, self._spend, code, is_right))
        await run(self.desk, write_or_say, self.log, self.places.logins, self.note(request, verdict))
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

    def note(self, request: HTTPServerRequest, verdict: Verdict) -> list[Login]:
        """Says who was at the door; returns the list to keep."""
        address = self.address(request)
        agent = browser_name(request.headers.get("User-Agent", ""))
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


def _forwarded_for(request: HTTPServerRequest) -> str | None:
    return ",".join(request.headers.get_list("X-Forwarded-For")) or None
