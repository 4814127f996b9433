"""Keeps the certificates of a running server: notices what changes, renews, and swaps a new TLS context in."""

from __future__ import annotations

import asyncio
import json
import logging
import ssl
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from entrypoint.certificates.authority import Authority
from entrypoint.certificates.contexts import choose_by_name, make_context
from entrypoint.certificates.endings import endings
from entrypoint.certificates.keeping import keep_certificates
from entrypoint.certificates.own import install_own, read_judgement, stamp_of_own, write_judgement
from entrypoint.certificates.served import is_publicly_trusted, reason_against_now
from entrypoint.certificates.serving import (
    PRIVATE,
    PUBLIC,
    Source,
    describe,
    find_sources,
    set_unreadable_aside,
    source_for,
    tell_unserved,
)
from entrypoint.files.causes import Causes
from entrypoint.files.places import Places
from entrypoint.files.public import write_public
from entrypoint.files.stamps import stamp
from entrypoint.files.untrusted import LINE_MAX, read_untrusted, shown
from entrypoint.renewal.plan import Plan
from entrypoint.renewal.public import PublicCertificates

LOOK_SECONDS = 1.0
# However little changes: a certificate may come to its end.
JUDGE_EVERY = timedelta(minutes=10)


class CertificateKeeper:
    """The certificates of one running server."""

    def __init__(
        self, plan: Plan, places: Places, serve: Callable[[ssl.SSLContext], None], log: logging.Logger
    ) -> None:
        self.plan, self.places, self.serve, self.log = plan, places, serve, log
        self.public = (
            PublicCertificates(plan.acme, places.tls, plan.public, self.warn, self.alarm) if plan.acme else None
        )
        self.sources: tuple[Source, ...] = ()
        self.hsts_names: frozenset[str] = frozenset()
        self._seen: object = None
        self._judged: datetime | None = None
        self._own_judgement = read_judgement(places)
        self._contexts: Mapping[Path, ssl.SSLContext] = {}
        # What the start has said already, is not said again.
        self.causes = Causes(self.warn, self._own_judgement.lines)
        self._endings: frozenset[str] | None = None

    def warn(self, line: str) -> None:
        self.log.warning("%s", shown(line, LINE_MAX))

    def alarm(self, line: str) -> None:
        self.log.error("%s", shown(line, LINE_MAX))

    def has_other_for(self, name: str) -> bool:
        """Whether a certificate besides the private authority's holds a name."""
        return any(source.kind != PRIVATE and source.certificate.covers(name) for source in self.sources)

    def look_or_say(self, now: datetime) -> None:
        """Whatever goes wrong, the server goes on with what it serves."""
        try:
            self.look(now)
        except Exception as error:
            self.causes.meet(f"Certificates: {error}", now)

    def look(self, now: datetime) -> None:
        """Notices whatever has changed on disk or come to its end, and serves accordingly."""
        self.causes.forget_mended(now)
        self._look_at_own(now)
        if not self._needs_judging(now):
            return
        before = self._stamp()
        self._tell_gone(now)
        authority, _ = keep_certificates(self.places.tls, self.plan.names, now, self.warn)
        if self.public:
            for line in set_unreadable_aside([self.places.tls.attempts, *self._public_files()]):
                self.warn(line)
            self.public.install(now)
        if self._judged is None:
            for line in tell_unserved(self.places.tls, self.plan.public, now):
                self.warn(line)
        sources = tuple(find_sources(self.places.tls, bool(self.plan.own_files), self.plan.public, now))
        if sources != self.sources:
            self._swap(sources, now)
        self._tell_endings(authority, now)
        # What changed meanwhile, be it by us, is judged once more at the next look.
        self._seen, self._judged = before if before == self._stamp() else None, now

    def _stamp(self) -> object:
        tls = self.places.tls
        return stamp([tls.authority, tls.server, tls.own, tls.attempts, *self._public_files()])

    def _public_files(self) -> list[Path]:
        return [self.places.tls.public(name.text) for name in self.plan.public]

    def _needs_judging(self, now: datetime) -> bool:
        # A clock that was set back must not postpone it.
        is_late = self._judged is None or not timedelta() <= now - self._judged < JUDGE_EVERY
        # Removed again right after it was written, it would look as it did before.
        is_missing = not (self.places.tls.authority.exists() and self.places.tls.server.exists())
        has_ended = any(now >= each.certificate.last_day for each in self.sources)
        return is_late or is_missing or has_ended or self._stamp() != self._seen

    def _tell_gone(self, now: datetime) -> None:
        """What vanishes under the server is made anew; before the first look there may be none yet."""
        tls = self.places.tls
        for path, effect in ((tls.authority, " Every device has to trust the new one."), (tls.server, "")):
            if self.sources and not path.exists():
                self.causes.meet(f"{path} is gone; it is made anew.{effect}", now)

    def _look_at_own(self, now: datetime) -> None:
        files = self.plan.own_files
        if not files or self._own_judgement.stamp == stamp_of_own(self.places.tls, files):
            return
        found = install_own(self.places.tls, files, self.plan.names, now)
        before = self._own_judgement
        # The start may have read what is closed to the server, and found more; unless the copy that it made is lost.
        knows_more = found.is_closed and found.files == before.files and before.stamp is None
        if found != before and not knows_more:
            self._own_judgement = found
            write_judgement(self.places, found)
        for line in self._own_judgement.lines:
            self.causes.meet(line, now)

    def _swap(self, found: tuple[Source, ...], now: datetime) -> None:
        contexts = dict(self._make_contexts(found, now))
        sources = tuple(source for source in found if source.path in contexts)
        if not sources:
            return
        default = next((source for source in sources if source.kind == PRIVATE), sources[0])

        def choose(name: str) -> ssl.SSLContext | None:
            source = source_for(name, sources)
            return contexts[source.path] if source and source is not default else None

        self.serve(choose_by_name(contexts[default.path], choose if len(sources) > 1 else None))
        for source in set(sources) - set(self.sources):
            if source.kind != PRIVATE or self.sources:
                self.warn(f"Now serving: {_named(source)}, until {source.certificate.last_day:%Y-%m-%d}.")
        self._tell_ended(sources, now)
        self.sources, self._contexts = sources, contexts
        self.hsts_names = frozenset(self._trusted_names(now))

    def _make_contexts(self, sources: tuple[Source, ...], now: datetime) -> Iterator[tuple[Path, ssl.SSLContext]]:
        """A context for each source that OpenSSL will serve with; those that served before go on."""
        kept = {source.path: source for source in self.sources}
        for source in sources:
            if kept.get(source.path) == source:
                yield source.path, self._contexts[source.path]
                continue
            try:
                yield source.path, make_context(source.certificate.pem)
            except OSError as error:
                self.causes.meet(f"{source.path} is not served: {error}.", now)

    def _tell_endings(self, authority: Authority, now: datetime) -> None:
        """Says what comes to its end and isn't renewed by itself: once, and of one's own certificate once a day."""
        lines = frozenset(endings(authority, self.sources, now))
        # The start has told what was known then.
        for line in sorted(lines - (lines if self._endings is None else self._endings)):
            self.alarm(" ".join(line.splitlines()))
        self._endings = lines

    def _tell_ended(self, sources: tuple[Source, ...], now: datetime) -> None:
        kept = {source.path for source in sources}
        for source in self.sources:
            if source.path not in kept:
                reason = reason_against_now(source.certificate, now) or "its file is gone or damaged"
                instead = source_for(min(source.certificate.patterns, default=""), sources)
                self.warn(f"No longer serving: {_named(source)}, since {reason}. "
                          f"There serves instead: {instead.title if instead else PRIVATE}.")  # fmt: skip

    def _trusted_names(self, now: datetime) -> list[str]:
        served = ((name.text, source_for(name.text, self.sources)) for name in self.plan.names if not name.address)
        return [
            name
            for name, source in served
            if source and source.kind != PRIVATE and is_publicly_trusted(source.certificate, name, now)
        ]

    def report(self) -> None:
        """Leaves what it knows for `workhorse status`."""
        text = json.dumps([asdict(served) for served in describe(self.plan.names, self.sources)])
        path = self.places.certificate_report
        try:
            is_left = read_untrusted(path) == text.encode()
        except OSError:
            is_left = False
        if not is_left:
            write_public(path, text.encode())

    async def run(self, now: Callable[[], datetime]) -> None:
        """Never returns: looks every second, and renews beside it."""
        await asyncio.gather(self._repeat(self._look_and_report, now), self._repeat(self._renew, now))

    async def _look_and_report(self, now: Callable[[], datetime]) -> None:
        self.look(now())
        self.report()

    async def _renew(self, now: Callable[[], datetime]) -> None:
        if self.public:
            await self.public.renew(now)

    async def _repeat(self, step: Callable[[Any], Coroutine[Any, Any, None]], now: Callable[[], datetime]) -> None:
        while True:
            try:
                await step(now)
            except Exception as error:  # whatever it is, the server goes on with what it serves
                self.causes.meet(f"Certificates: {error}", now())
            await asyncio.sleep(LOOK_SECONDS)


def _named(source: Source) -> str:
    names = ", ".join(sorted(source.certificate.patterns))
    return f"the certificate for {names}, {source.title}" if source.kind == PUBLIC else f"{source.kind} for {names}"
