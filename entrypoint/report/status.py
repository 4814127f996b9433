"""The state of a running server, read back for `workhorse status`."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from entrypoint.certificates.authority import Authority, load_authority, reason_to_replace
from entrypoint.certificates.company import company_warnings
from entrypoint.certificates.endings import endings
from entrypoint.certificates.leaf import RENEWAL_DAYS
from entrypoint.certificates.own import read_judgement
from entrypoint.certificates.serving import OWN, PRIVATE, Served, Source, describe, find_sources
from entrypoint.door.config import for_the_server
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places, TlsFolder
from entrypoint.files.untrusted import read_untrusted
from entrypoint.laptops.pairing import is_on
from entrypoint.laptops.report import ask_for_report as ask_for_sync_report
from entrypoint.laptops.report import sync_lines
from entrypoint.login.logins import Login, latest_of_each_kind, read_logins
from entrypoint.proxy.asking import NoAnswerError
from entrypoint.report.gateway import read_gateway
from entrypoint.report.installation import changes, find_clone, read_clone
from entrypoint.report.kernels import AbsentKernelsError, absence, ask_for_report, disk_lines, kernels_warnings
from entrypoint.report.made_of import differences
from entrypoint.report.message import Status
from entrypoint.settings.known import KnownSettings, read_known_settings
from entrypoint.settings.names import public_names
from entrypoint.settings.settings import Settings
from entrypoint.system.cards import card_lines
from entrypoint.system.disk import find_disk
from entrypoint.system.kernels_report import KernelsReport, kernel_lines
from entrypoint.system.trust import BUNDLE

if TYPE_CHECKING:
    from entrypoint.renewal.attempts import Attempt

# By then each device has been used, or is used no more.
SUCCESSION = timedelta(days=30)

START_SYNC = "To start it: docker compose up -d   What it says: docker compose logs sync"
RENEW = "docker compose exec workhorse workhorse renew"


def read_status(places: Places, now: datetime) -> Status:
    """Reads settings and certificates as the last start left them.

    Raises:
        WorkhorseError: There are no certificates yet, or none that can be read.
    """
    known = read_known_settings(places)
    settings = known.settings
    try:
        authority = load_authority(read_untrusted(places.tls.authority))
    except (OSError, ValueError) as error:
        raise WorkhorseError.of(
            f"The certificates in {places.tls.path} can't be read: {error}.",
            "A start makes them anew: docker compose restart workhorse",
        ) from error
    told, warnings = _kernels(places, settings)
    laptops, troubles = _laptops(places)
    others = (*changes(read_clone(places.installation), find_clone(places)), *differences(places))
    status = status_now(places, known, authority, (*warnings, *troubles, *map(str, others)), now)
    docker = read_gateway(places.root / "proc/net/route")
    logins = tuple(_logins(latest_of_each_kind(read_logins(places.logins)), docker))
    served = read_report(places.certificate_report) or status.served
    last_backup = read_last_backup(places.last_backup)
    status = replace(status, served=served, logins=logins, laptops=laptops, last_backup=last_backup)
    return replace(status, **_of_kernels(told, places)) if told else status


def _kernels(places: Places, settings: Settings) -> tuple[KernelsReport | None, tuple[str, ...]]:
    """What the kernels' server tells, and the warnings."""
    try:
        told = ask_for_report(places)
    except AbsentKernelsError as error:
        return None, (str(absence(error)),)
    return told, tuple(kernels_warnings(told, settings.repositories))


def _of_kernels(told: KernelsReport, places: Places) -> dict[str, Any]:
    return {
        "kernels": tuple(kernel_lines(told.kernels)),
        "cards": tuple(card_lines(told.cards)),
        "disks": tuple(disk_lines(told, find_disk(places.state))),
        "owner": told.folder.uid if told.folder else None,
    }


def read_last_backup(path: Path) -> str:
    """When there was one, as a person reads it; empty where there was none, or it can't be read."""
    try:
        return f"{datetime.fromisoformat(read_untrusted(path).decode('ascii')):%Y-%m-%d %H:%M} UTC"
    except (OSError, ValueError):
        return ""


def _laptops(places: Places) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The lines about the laptops, and the warnings."""
    if not is_on(places):
        return (), ()
    try:
        told = ask_for_sync_report(places)
    except NoAnswerError as error:
        return (), (f"Nothing is kept in step: Syncthing does not answer ({error}).\n{START_SYNC}",)
    except WorkhorseError as error:
        return (), (str(error),)
    trouble = (f"The laptops are not in step: {told.trouble}.\nWhat Syncthing says: docker compose logs sync",)
    return tuple(sync_lines(told)), trouble if told.trouble else ()


def _logins(logins: Sequence[Login], docker: str | None) -> Iterator[str]:
    yield from (login.line for login in logins)
    if docker in {login.address for login in logins}:
        yield f"{docker} is Docker itself, which hides who came: this machine or, where Docker passes connections on"
        yield "(rootless, Docker Desktop, IPv6), anybody."


def status_now(
    places: Places, known: KnownSettings, authority: Authority, warnings: Iterable[str], now: datetime
) -> Status:
    """What a server comes to that starts now."""
    sources = find_current(places, known.settings, now)
    nobody_enrolled, recovery_codes = _second_factor(places) if known.settings.totp else (None, None)
    return Status(
        known.settings,
        known.has_password,
        authority,
        served=tuple(describe(known.settings.server_names, sources)),
        warnings=(
            *warnings,
            *read_judgement(places).lines,
            *filter(None, [nobody_enrolled]),
            *company_warnings(places.run / BUNDLE, now),
            *endings(authority, sources, now),
            *successions(places.tls, authority, known.settings, now),
        ),
        plans=tuple(plans(places, known.settings, sources)),
        recovery_codes=recovery_codes,
    )


def _second_factor(places: Places) -> tuple[str | None, int | None]:
    """Why nobody can log in, or else how many recovery codes are left."""
    from entrypoint.login.second_factor import NOBODY_ENROLLED, read_second_factor  # slow, and off unless asked for

    factor = read_second_factor(places.second_factor)
    return (None, len(factor.recovery_hashes)) if factor else (str(NOBODY_ENROLLED), None)


def find_current(places: Places, settings: Settings, now: datetime) -> tuple[Source, ...]:
    """The certificates in the volume by which a server that starts now will serve."""
    public = public_names(settings.server_names) if settings.letsencrypt_email else ()
    return tuple(find_sources(places.tls, bool(settings.certificate_file), public, now))


def successions(folder: TlsFolder, authority: Authority, settings: Settings, now: datetime) -> Iterator[str]:
    """Of a new authority in the place of another, for as long as devices may not have followed."""
    aside = folder.path.glob(f"{folder.authority.name}.set-aside-*")
    before = sorted(aside, key=lambda file: (len(file.name), file.name))
    if before and now - authority.made < SUCCESSION:
        reason = _reason_to_replace(before[-1], settings, authority.made)
        yield (
            f"The private authority was made anew on {authority.made:%Y-%m-%d}{reason}.\n"
            "Every device that trusted the one before has to trust this one: docker compose exec workhorse workhorse "
            "share-ca"
        )


def _reason_to_replace(file: Path, settings: Settings, made: datetime) -> str:
    try:
        reason = reason_to_replace(load_authority(read_untrusted(file)), settings.server_names, made)
    except (OSError, ValueError):
        return ""
    return f". Of the one before: {reason}" if reason else ""


def plans(places: Places, settings: Settings, sources: Iterable[Source]) -> Iterator[str]:
    """What happens to the certificates next, and when."""
    for source in sources:
        if source.kind == OWN:
            yield f"Put your own certificate's successor in its place before {_day(source)}; that is noticed by itself."
        if source.kind == PRIVATE:
            day = source.certificate.last_day - timedelta(days=RENEWAL_DAYS)
            yield f"The private authority signs a new certificate on {day:%Y-%m-%d}."
    if settings.letsencrypt_email:
        yield from _public_plans(places, settings)


def _public_plans(places: Places, settings: Settings) -> Iterator[str]:
    from entrypoint.renewal.attempts import read_attempts  # certbot's own matters, which most starts know nothing of
    from entrypoint.renewal.plan import make_plan

    plan = make_plan(for_the_server(settings), places)
    attempts = read_attempts(places.tls.attempts, plan.acme) if plan.acme else {}
    for name in plan.public:
        yield f"{name}: {_next(attempts.get(name.text))}"
    if left := [name.text for name in settings.server_names if name not in plan.public]:
        yield f"{', '.join(left)}: served by the private authority, since no public one vouches for such names."


def _next(attempt: Attempt | None) -> str:
    if attempt is None:
        return "certbot asks for a certificate within seconds."
    time = f"{attempt.time:%Y-%m-%d %H:%M} UTC"
    if attempt.failures:
        return f"attempt {attempt.failures + 1} at {time}, or now with: {RENEW}. {attempt.reason}."
    return f"certbot looks at {time} whether the certificate is due for renewal."


def _day(source: Source) -> str:
    return f"{source.certificate.last_day:%Y-%m-%d}"


def read_report(path: Path) -> tuple[Served, ...]:
    """What the running server left about its certificates; nothing where there is none that can be read."""
    try:
        return tuple(_served(**each) for each in json.loads(read_untrusted(path)))
    except (OSError, ValueError, TypeError, RecursionError):
        return ()


def _served(names: list[str], kind: str, last_day: str) -> Served:
    """Raises TypeError where a value is not what was written."""
    # `join` takes texts alone.
    return Served(tuple("".join([name]) for name in names), "".join([kind]), "".join([last_day]))
