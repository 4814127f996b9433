"""Obtains and renews the public certificates of a running server, name by name, and backs off where it fails."""

from __future__ import annotations

import json
import random
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta

from entrypoint.acme import BACKOFF_LONGEST, Acme, AcmeError, backoff, next_look, obtain
from entrypoint.names import ServerName
from entrypoint.places import TlsFolder
from entrypoint.private_files import read_private, write_private
from entrypoint.served_certificate import reason_against_now
from entrypoint.serving import load

# Let's Encrypt's own certificates have a third of their life left when they are due; at a tenth it is an error.
URGENT = timedelta(days=7)


@dataclass(frozen=True)
class Attempt:
    """What became of the last attempt for a name, and when the next one is due."""

    next: str = ""
    failures: int = 0
    reason: str = ""

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.next)

    def failed(self, now: datetime, reason: str) -> Attempt:
        """The attempt after this one, when it has failed."""
        failures = self.failures + 1
        return Attempt((now + backoff(failures)).isoformat(), failures, reason)

    def is_due(self, now: datetime) -> bool:
        """Also when the time lies further ahead than any wait: then the clock has been wrong."""
        return not self.next or not now < self.time < now + BACKOFF_LONGEST * 1.2


class PublicCertificates:
    """Keeps one certificate for each public name in the volume."""

    def __init__(self, acme: Acme, folder: TlsFolder, names: Sequence[ServerName], warn: Callable[[str], None]) -> None:
        self.acme, self.folder, self.names, self.warn = acme, folder, names, warn
        self.ask: Callable[[Acme, str], Awaitable[None]] = obtain

    def install(self) -> None:
        """Copies what certbot has obtained to where it serves from, in one step each."""
        for name in self.names:
            newest = self.acme.lineage(name.text).newest()
            if newest and newest.pem != read_private(self.folder.public(name.text)):
                write_private(self.folder.public(name.text), newest.pem, None)

    async def renew(self, now: Callable[[], datetime]) -> None:
        """One round: every name whose time has come."""
        for name in self.names:
            before = self.attempts().get(name.text, Attempt())
            if not before.is_due(now()):
                continue
            # Kept before it begins: a server that is ended again and again meanwhile waits as after a failure.
            under_way = before.failed(now(), f"The attempt of {now():%H:%M} UTC is under way, or was cut short")
            self._keep(name.text, under_way)
            after = await self._attempt(name.text, before, now)
            # Unless `workhorse renew` has forgotten it: then the next one follows at once.
            if self.attempts().get(name.text) == under_way:
                self._keep(name.text, after)

    async def _attempt(self, name: str, before: Attempt, now: Callable[[], datetime]) -> Attempt:
        try:
            await self.ask(self.acme, name)
            self.install()
            return Attempt(next_look(self._end(name, now()), now(), random.random()).isoformat())  # noqa: S311  # spreads load, hides nothing
        except AcmeError as error:
            after = before.failed(now(), str(error))
            if after.reason != before.reason or self._is_urgent(name, now()):
                self.warn(f"No new certificate for {name}: {error} (next attempt {after.time:%Y-%m-%d %H:%M} UTC).")
            return after

    def _end(self, name: str, now: datetime) -> datetime:
        obtained = self.acme.lineage(name).newest()
        reason = reason_against_now(obtained, now) if obtained else "certbot has left none that can be read"
        if reason or not obtained:
            raise AcmeError(f"The new certificate can't serve: {reason}")
        return obtained.last_day

    def _is_urgent(self, name: str, now: datetime) -> bool:
        served = load(self.folder.public(name))
        return served is not None and served.last_day - now < URGENT

    def attempts(self) -> dict[str, Attempt]:
        """The last attempts, none of them if the settings have changed since or the file is damaged."""
        try:
            kept = json.loads(self.folder.attempts.read_text())
            if kept["settings"] != self._settings():
                return {}
            return {name: _read_attempt(**attempt) for name, attempt in kept["names"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _keep(self, name: str, attempt: Attempt) -> None:
        write_private(self.folder.attempts, self._to_json({**self.attempts(), name: attempt}), None)

    def _settings(self) -> list[str]:
        return [self.acme.email, self.acme.server, str(self.acme.ca_file), str(self.acme.dns_hook)]

    def _to_json(self, attempts: dict[str, Attempt]) -> bytes:
        names = {name: asdict(attempt) for name, attempt in attempts.items()}
        return json.dumps({"settings": self._settings(), "names": names}).encode()


def _read_attempt(next: str, failures: int, reason: str) -> Attempt:
    """Raises ValueError or TypeError where a value is not what was written."""
    time = datetime.fromisoformat(next).astimezone(UTC).isoformat()
    return Attempt(time, int(failures), str(reason))
