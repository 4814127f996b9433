"""Which certificate serves which name: the person's own first, then the public one, then the private authority's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from entrypoint.certificates.served import ServedCertificate, issuer, read_pair, reason_against_now
from entrypoint.files.places import TlsFolder
from entrypoint.files.private import read_private, set_aside
from entrypoint.files.untrusted import read_untrusted
from entrypoint.settings.names import LOCAL_NAMES, ServerName

OWN, PUBLIC, PRIVATE = "your own certificate", "issued by an ACME server", "private authority"


@dataclass(frozen=True)
class Source:
    """A certificate in the volume, and where it comes from."""

    kind: str
    path: Path
    certificate: ServedCertificate

    @property
    def title(self) -> str:
        """As a person reads it. A trial server's certificate is not trusted in public, so its issuer tells."""
        return f"issued by {issuer(self.certificate)}" if self.kind == PUBLIC else self.kind


def find_sources(folder: TlsFolder, has_own: bool, public: Sequence[ServerName], now: datetime) -> Iterator[Source]:
    """The certificates in the volume that count now, the preferred first."""
    candidates = [(OWN, folder.own)] if has_own else []
    candidates += [(PUBLIC, folder.public(name.text)) for name in public]
    for kind, path in (*candidates, (PRIVATE, folder.server)):
        if (certificate := load(path)) and not reason_against_now(certificate, now):
            yield Source(kind, path, certificate)


def tell_unserved(folder: TlsFolder, public: Sequence[ServerName], now: datetime) -> Iterator[str]:
    """A line about each public certificate that lies in the volume and doesn't count now."""
    for path in (folder.public(name.text) for name in public):
        if path.exists():
            certificate = load(path)
            if reason := reason_against_now(certificate, now) if certificate else "it is damaged":
                yield f"{path} is not served: {reason}."


def set_unreadable_aside(paths: Iterable[Path]) -> Iterator[str]:
    """Makes room where something stands that is no file of ours, and yields a line about each."""
    for path in paths:
        try:
            read_private(path)
        except OSError as error:
            yield f"{path} can't be used ({error.strerror}); it is kept as {set_aside(path)}."


def load(path: Path) -> ServedCertificate | None:
    try:
        pem = read_untrusted(path)
        return read_pair(pem, pem)
    except (OSError, ValueError):
        return None


def source_for(name: str, sources: Iterable[Source]) -> Source | None:
    return next((source for source in sources if source.certificate.covers(name)), None)


@dataclass(frozen=True)
class Served:
    """The names that one certificate serves, as `workhorse status` shows them."""

    names: tuple[str, ...]
    kind: str
    last_day: str


def describe(names: Sequence[ServerName], sources: Sequence[Source]) -> list[Served]:
    """Every name of the server with the certificate that a browser gets there."""
    by_source: dict[Source, list[str]] = {source: [] for source in sources}
    for name in (*names, *(local for local in LOCAL_NAMES if local not in names)):
        # A browser sends no name for an address (RFC 6066), so the default serves there.
        eligible = [source for source in sources if source.kind == PRIVATE or not name.address]
        if source := source_for(name.text, eligible):
            by_source[source].append(name.text)
    for source, served in by_source.items():
        # Whether SERVER_NAMES holds them or not, it serves the names that it has.
        if source.kind == OWN and not served:
            served.extend(sorted(source.certificate.patterns))
    return [
        Served(tuple(served), source.title, f"{source.certificate.last_day:%Y-%m-%d}")
        for source, served in by_source.items()
        if served
    ]
