"""Obtains and renews the public certificates of a running server, name by name, and backs off where it fails."""

from __future__ import annotations

import random
import re
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from entrypoint.certificates.served import ServedCertificate, reason_against_now
from entrypoint.certificates.serving import load, set_unreadable_aside
from entrypoint.files.lock import alone
from entrypoint.files.places import TlsFolder
from entrypoint.files.private import read_private, write_private
from entrypoint.renewal.acme import Acme, AcmeError, next_look, obtain
from entrypoint.renewal.attempts import Attempt, read_attempts, write_attempts
from entrypoint.settings.names import ServerName

# Let's Encrypt's own certificates have a third of their life left when they are due; at a tenth it is an error.
URGENT_PART = 10
URGENT_MOST = timedelta(days=7)


class PublicCertificates:
    """Keeps one certificate for each public name in the volume."""

    def __init__(
        self,
        acme: Acme,
        folder: TlsFolder,
        names: Sequence[ServerName],
        warn: Callable[[str], None],
        alarm: Callable[[str], None],
    ) -> None:
        self.acme, self.folder, self.names, self.warn, self.alarm = acme, folder, names, warn, alarm
        self.ask: Callable[[Acme, str], Awaitable[None]] = obtain

    def install(self, now: datetime) -> None:
        """Copies what certbot has obtained to where it serves from, in one step each."""
        for name in self.names:
            newest = self.acme.lineage(name.text).newest()
            # An ended one may be left of a time before another ACME server.
            if newest and not reason_against_now(newest, now) and newest.pem != self._installed(name.text):
                write_private(self.folder.public(name.text), newest.pem)

    def _installed(self, name: str) -> bytes | None:
        return read_private(self.folder.public(name))

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
            self._keep(name.text, after, under_way)

    async def _attempt(self, name: str, before: Attempt, now: Callable[[], datetime]) -> Attempt:
        installed = self._installed(name)
        try:
            await self.ask(self.acme, name)
            self.install(now())
            next_time = next_look(self._end(name, now()), now(), random.random())  # noqa: S311  # spreads load, hides nothing
        except AcmeError as error:
            after = before.failed(now(), str(error))
            self._tell(name, before, after, now())
            return after
        if self._installed(name) != installed:
            self.warn(f"A new certificate for {name} has come. Certbot looks again at {_time(next_time)}.")
        return Attempt(next_time.isoformat())

    def _end(self, name: str, now: datetime) -> datetime:
        obtained = self.acme.lineage(name).newest()
        reason = reason_against_now(obtained, now) if obtained else "certbot has left none that can be read"
        if reason or not obtained:
            raise AcmeError(f"The new certificate can't serve: {reason}")
        return obtained.last_day

    def _tell(self, name: str, before: Attempt, failed: Attempt, now: datetime) -> None:
        """Once for each cause; each time when the certificate that serves is near its end."""
        served = load(self.folder.public(name))
        if served and is_urgent(served, now):
            ends = "ends" if served.last_day > now else "ended"
            self.alarm(
                f"No new certificate for {name}, and the last one {ends} on {_time(served.last_day)}: "
                f"{failed.reason} (next attempt {_time(failed.time)})."
            )
        elif _cause(failed) != _cause(before):
            self.warn(f"No new certificate for {name}: {failed.reason} (next attempt {_time(failed.time)}).")

    def attempts(self) -> dict[str, Attempt]:
        return read_attempts(self.folder.attempts, self.acme)

    def _keep(self, name: str, attempt: Attempt, after: Attempt | None = None) -> None:
        """Keeps an attempt, unless another than the one before it is kept by now."""
        with alone(self.folder.path):
            for line in set_unreadable_aside([self.folder.attempts]):
                self.warn(line)
            kept = self.attempts()
            if after is None or kept.get(name) == after:
                write_attempts(self.folder.attempts, self.acme, {**kept, name: attempt})


def is_urgent(certificate: ServedCertificate, now: datetime) -> bool:
    """Whether a certificate should long have been renewed: with a tenth of its life left, or a week."""
    life = certificate.last_day - certificate.leaf.not_valid_before_utc
    return certificate.last_day - now < min(URGENT_MOST, life / URGENT_PART)


def _cause(attempt: Attempt) -> str:
    """The same for two attempts that failed alike, at other times: servers say when one may come again."""
    return re.sub(r"\d+", "", attempt.reason)


def _time(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M} UTC"
