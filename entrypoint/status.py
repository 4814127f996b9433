"""The state of a running server, read back for `workhorse status`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from entrypoint.authority import Authority, load_authority
from entrypoint.certificate import RENEWAL_DAYS
from entrypoint.errors import WorkhorseError
from entrypoint.identity import find_identity, reason_not_writable
from entrypoint.logins import read_logins
from entrypoint.message import Status
from entrypoint.names import public_names
from entrypoint.places import Places
from entrypoint.private_files import Owner
from entrypoint.serving import Served, describe, find_sources
from entrypoint.settings import Settings, from_environ

LOGINS_SHOWN = 8

RENEW = "docker compose exec workhorse workhorse renew"


def read_status(places: Places, environ: Mapping[str, str], now: datetime) -> Status:
    """Reads settings and certificates as the last start left them.

    Raises:
        WorkhorseError: There are no certificates yet, or none that can be read.
    """
    settings = from_environ(environ)
    process = Owner(os.getuid(), os.getgid())
    identity = find_identity(process, places.repositories, Path("/proc/self/uid_map").read_text())
    warning = reason_not_writable(places.repositories, identity.user, settings.repositories)
    try:
        authority = load_authority(places.tls.authority.read_bytes())
        report = read_report(places.certificate_report)
    except (OSError, ValueError) as error:
        raise WorkhorseError.of(
            f"The certificates in {places.tls.path} can't be read: {error}.",
            "A start makes them anew: docker compose restart",
        ) from error
    served = report.served or currently_served(places, settings, now)
    plans = (
        *report.plans,
        f"The private authority signs a new certificate {RENEWAL_DAYS} days before the old one's end.",
    )
    warnings = tuple(filter(None, (warning, ending(authority, now))))
    logins = tuple(login.line for login in read_logins(places.logins)[-LOGINS_SHOWN:])
    return Status(settings, authority, served, None, warnings, plans, logins)


def currently_served(places: Places, settings: Settings, now: datetime) -> tuple[Served, ...]:
    """What the certificates in the volume come to, by which a server that starts now will serve."""
    public = public_names(settings.server_names) if settings.letsencrypt_email else ()
    sources = tuple(find_sources(places.tls, bool(settings.certificate_file), public, now))
    return tuple(describe(settings.server_names, sources))


def ending(authority: Authority, now: datetime) -> str | None:
    """A year before its end it is time to think of every device that trusts the authority."""
    end = authority.certificate.not_valid_after_utc
    if end - now > timedelta(days=365):
        return None
    return (
        f"The private authority ends on {end:%Y-%m-%d}; then a new one is made, which every device has to trust.\n"
        "At a time that suits you: docker compose exec workhorse workhorse new-authority"
    )


@dataclass(frozen=True)
class Report:
    """What the running server left about its certificates."""

    served: tuple[Served, ...] = ()
    plans: tuple[str, ...] = ()


def read_report(path: Path) -> Report:
    try:
        known = json.loads(path.read_text())
        served = tuple(Served(tuple(each["names"]), each["kind"], each["last_day"]) for each in known["served"])
        plans = tuple(_plan(name, **attempt) for name, attempt in known["attempts"].items())
        return Report(served, plans)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return Report()


def _plan(name: str, next: str, failures: int, reason: str) -> str:
    time = f"{datetime.fromisoformat(next):%Y-%m-%d %H:%M} UTC"
    if failures:
        return f"{name}: attempt {failures + 1} at {time}, or now with: {RENEW}. {reason}."
    return f"{name}: certbot looks at {time} whether the certificate is due for renewal."
