"""The server's own page, which JupyterLab's Help menu opens: how it stands, and which devices are logged in."""

from __future__ import annotations

import asyncio
import json
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any, ClassVar

from entrypoint.login.guarded import GuardedHandler
from entrypoint.login.logins import Login, latest_of_each_kind
from entrypoint.login.open_logins import OpenLogin
from entrypoint.proxy.pages import POLICY, rendered

PATH, SIGN_OUT_PATH = "/server", "/server/sign-out"
# In a process of its own: what it needs takes memory for a second, and a disk or a kernels' server that hangs holds
# nobody up.
STATUS = ("/usr/local/bin/workhorse", "status", "--json")
SECONDS = 20.0
NOT_TOLD = "How the rest stands could not be found out. On the host: docker compose exec workhorse workhorse status"
STALE = "This page was too old. Open it again."
FORM_POLICY = POLICY.replace("form-action 'none'", "form-action 'self'")
DOCUMENTATION = "https://github.com/workhorse-notebooks/workhorse/blob/main"


@dataclass(frozen=True)
class Device:
    """A login, as the page shows it."""

    login: str
    name: str
    address: str
    since: str
    seen: str
    is_this: bool


class OwnPageHandler(GuardedHandler):
    """The page."""

    # One answer serves all who ask meanwhile.
    asked: ClassVar[asyncio.Task[Mapping[str, Any]] | None] = None

    async def get(self) -> None:
        status = await self._status()
        self.set_header("Content-Security-Policy", FORM_POLICY)
        self.set_header("Cache-Control", "no-store")
        self.finish(
            rendered(
                "own.html",
                host=self.request.host_name,
                status=status,
                devices=self._devices(),
                logins=lines(self.door.logins),
                token=self.xsrf_form_html(),
                sign_out=SIGN_OUT_PATH,
                documentation=DOCUMENTATION,
                not_told=NOT_TOLD,
            )
        )

    async def _status(self) -> Mapping[str, Any]:
        if OwnPageHandler.asked is None:
            OwnPageHandler.asked = asyncio.create_task(ask_for_status())
            OwnPageHandler.asked.add_done_callback(self._is_answered)
        # Who leaves takes nothing from the others.
        return await asyncio.shield(OwnPageHandler.asked)

    def _is_answered(self, _: asyncio.Task[Mapping[str, Any]]) -> None:
        OwnPageHandler.asked = None

    def _devices(self) -> list[Device]:
        listed = self.door.open_logins.listed(self.door.lock.session_days, datetime.now(UTC))
        return [device(each, self.login) for each in listed]


class SignOutHandler(GuardedHandler):
    """Ends another device's login; one's own has Log Out."""

    async def post(self) -> None:
        login = self.get_body_argument("login", "")
        if login in self.door.open_logins.logins:
            await self.door.log_out(login)
        # So that a reload asks for the page, and signs nobody out.
        self.redirect(PATH, status=HTTPStatus.SEE_OTHER)

    def write_error(self, status_code: int, **about: Any) -> None:
        if status_code == HTTPStatus.FORBIDDEN:
            self.refuse(status_code, STALE)
        else:
            super().write_error(status_code, **about)


def device(login: OpenLogin, own: str | None) -> Device:
    since = f"since {minute(login.began)}" if login.began else "for longer than is known"
    return Device(login.login, login.browser, login.address, since, minute(login.seen), login.login == own)


def minute(time: str) -> str:
    return f"{time[:16].replace('T', ' ')} UTC"


def lines(logins: Sequence[Login]) -> list[str]:
    """Who was at the door, the latest first."""
    return [each.line for each in reversed(latest_of_each_kind(logins))]


async def ask_for_status() -> Mapping[str, Any]:
    """What `workhorse status --json` says; nothing where it fails or takes too long."""
    try:
        child = await asyncio.create_subprocess_exec(*STATUS, stdin=DEVNULL, stdout=PIPE, stderr=DEVNULL)
    except OSError:
        return {}
    try:
        said, _ = await asyncio.wait_for(child.communicate(), SECONDS)
        told: Mapping[str, Any] = json.loads(said)
    except (TimeoutError, ValueError):
        return {}
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    return told
