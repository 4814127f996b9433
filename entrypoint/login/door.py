"""The door: who may come in, how often a stranger may guess, and what is kept of it."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
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
from entrypoint.login.cookie_secrets import new_secret
from entrypoint.login.devices import device_of
from entrypoint.login.guesses import KeptCounts, read_limiter
from entrypoint.login.lock import Lock
from entrypoint.login.logins import Login, added, as_kept, browser_name, read_logins
from entrypoint.login.open_logins import read_open_logins
from entrypoint.login.password import verifies
from entrypoint.login.second_factor import NOBODY_ENROLLED, check, read_second_factor, to_json
from entrypoint.proxy.open_connections import OpenConnections
from entrypoint.settings.clients import client_address, client_group, parse_networks
from entrypoint.strangers.behalf import in_own_name

NICENESS = 10


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
        self.signing = b""
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
        signing = login_cookie.signing_secret(cookie_secret, hashed_password)
        if signing != self.signing:
            self.signing, self.open_logins = signing, read_open_logins(self.places.open_logins, signing)

    def login_of(self, request: HTTPServerRequest) -> str | None:
        """Which login a request comes with; None for a stranger's, and for one that was ended."""
        login = login_cookie.login_of(request, self.signing, self.lock.session_days)
        return None if login in self.open_logins.ended else login

    def meet(self, request: HTTPServerRequest) -> bool:
        """Whether a request is of somebody who is logged in, whose device then has been seen."""
        login, now = self.login_of(request), datetime.now(UTC)
        if login and self.open_logins.is_new(login, now):
            is_worth_keeping = self.open_logins.see(login, self.address(request), _browser(request), now)
            if is_worth_keeping:
                self._keep_open_logins(now)
        return login is not None

    def let_in(self, handler: RequestHandler) -> None:
        now, request = datetime.now(UTC), handler.request
        login = login_cookie.set_login_cookie(handler, self.signing, self.lock.session_days)
        self.open_logins.begin(login, self.address(request), _browser(request), now)
        self._keep_open_logins(now)

    async def log_out(self, login: str) -> None:
        """Ends a login, and what its browser holds open: nobody asks a websocket for its cookie again."""
        self.open_logins.end(login)
        self.connections.close_login(login)
        # Another secret ends them all, and begins the list anew.
        is_full, now = self.open_logins.is_full, datetime.now(UTC)
        kept = self._write(self.places.cookie_secret, new_secret().encode()) if is_full else self._keep_open_logins(now)
        await asyncio.wrap_future(kept)

    def _keep_open_logins(self, now: datetime) -> Future[None]:
        return self._write(self.places.open_logins, self.open_logins.text(now))

    def _write(self, path: Path, content: bytes) -> Future[None]:
        return self.desk.submit(write_or_say, self.log, path, content)

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
        await asyncio.wrap_future(self._write(self.places.logins, as_kept(self.note(request, verdict))))
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
        agent = _browser(request)
        now = datetime.now(UTC).isoformat(timespec="seconds")
        knew_password = verdict.password and not verdict.opens
        self.logins = added(self.logins, Login(now, address, agent, verdict.opens, knew_password=knew_password))
        wrong = "The right password with a wrong or used code" if knew_password else "A wrong password"
        said = "Login" if verdict.opens else wrong
        # As many as the limiter admits.
        in_own_name(self.log.warning, "%s from %s (%s).", said, address, agent)
        return self.logins


def write_or_say(log: logging.Logger, path: Path, content: bytes) -> None:
    try:
        write_private(path, content)
    except WorkhorseError as error:
        log.warning("%s", error)


def _give_way() -> None:
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), NICENESS)


def _browser(request: HTTPServerRequest) -> str:
    return browser_name(request.headers.get("User-Agent", ""))


def _forwarded_for(request: HTTPServerRequest) -> str | None:
    return ",".join(request.headers.get_list("X-Forwarded-For")) or None
