"""Obtains and renews the public certificates of a running server, name by name, and backs off where it fails."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from entrypoint.acme import BACKOFF_LONGEST, Acme, AcmeError, backoff, next_look, obtain
from entrypoint.names import ServerName
from entrypoint.places import TlsFolder
from entrypoint.private_files import read_private, write_private
from entrypoint.served_certificate import ServedCertificate, read_pair
from entrypoint.serving import load

# Let's Encrypt's own certificates have a third of their life left when they are due; at a tenth it is an error.
URGENT = timedelta(days=7)


@dataclass(frozen=True)
class Attempt:
    """What became of the last attempt for a name, and when the next one is due."""

    next: str = ""
    failures: int = 0
    reason: str = ""

    def is_due(self, now: datetime) -> bool:
        """Also when the time lies further ahead than any wait: then the clock has been wrong."""
        if not self.next:
            return True
        next_time = datetime.fromisoformat(self.next)
        return next_time <= now or next_time > now + BACKOFF_LONGEST * 1.2


class PublicCertificates:
    """Keeps one certificate for each public name in the volume."""

    def __init__(self, acme: Acme, folder: TlsFolder, names: Sequence[ServerName], warn: Callable[[str], None]) -> None:
        self.acme, self.folder, self.names, self.warn = acme, folder, names, warn

    def install(self) -> None:
        """Copies what certbot has obtained to where it serves from, in one step each."""
        for name in self.names:
            if (obtained := self._obtained(name.text)) and obtained.pem != read_private(self.folder.public(name.text)):
                write_private(self.folder.public(name.text), obtained.pem, None)

    def _obtained(self, name: str) -> ServedCertificate | None:
        lineage = self.acme.lineage(name)
        try:
            # The full chain, since phones refuse a certificate without what lies between it and the root.
            return read_pair((lineage / "fullchain.pem").read_bytes(), (lineage / "privkey.pem").read_bytes())
        except (OSError, ValueError):
            return None

    async def renew(self, now: Callable[[], datetime]) -> None:
        """One round: every name whose time has come."""
        for name in self.names:
            attempts = self.attempts()
            attempt = attempts.get(name.text, Attempt())
            if attempt.is_due(now()):
                attempts[name.text] = await self._attempt(name.text, attempt, now)
                write_private(self.folder.attempts, self._to_json(attempts), None)

    async def _attempt(self, name: str, before: Attempt, now: Callable[[], datetime]) -> Attempt:
        try:
            await obtain(self.acme, name)
        except AcmeError as error:
            failures = before.failures + 1
            next_time = now() + backoff(failures)
            if str(error) != before.reason or self._is_urgent(name, now()):
                self.warn(f"No new certificate for {name}: {error} (next attempt {next_time:%Y-%m-%d %H:%M} UTC).")
            return Attempt(next_time.isoformat(), failures, str(error))
        self.install()
        installed = load(self.folder.public(name))
        ends = installed.last_day if installed else now()
        return Attempt(next_look(ends, now(), random.random()).isoformat())  # noqa: S311  # spreads load, hides nothing

    def _is_urgent(self, name: str, now: datetime) -> bool:
        served = load(self.folder.public(name))
        return served is not None and served.last_day - now < URGENT

    def attempts(self) -> dict[str, Attempt]:
        """The last attempts, none of them if the settings have changed since or the file is damaged."""
        try:
            kept = json.loads(self.folder.attempts.read_text())
            if kept["settings"] != self._settings():
                return {}
            return {name: replace(Attempt(), **attempt) for name, attempt in kept["names"].items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError):
            return {}

    def _settings(self) -> list[str]:
        return [self.acme.email, self.acme.server, str(self.acme.ca_file), str(self.acme.dns_hook)]

    def _to_json(self, attempts: dict[str, Attempt]) -> bytes:
        names = {name: asdict(attempt) for name, attempt in attempts.items()}
        return json.dumps({"settings": self._settings(), "names": names}).encode()


def now() -> datetime:
    return datetime.now(UTC)
