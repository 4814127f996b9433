"""What a person reads at the end of the start: where to go, and what to trust."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from entrypoint.certificates.authority import Authority
from entrypoint.certificates.serving import PRIVATE, Served
from entrypoint.files.untrusted import LINE_MAX, shown
from entrypoint.settings.names import ServerName
from entrypoint.settings.settings import Settings

INDENT = " " * 16


@dataclass(frozen=True)
class Status:
    """All that the message tells."""

    settings: Settings
    has_password: bool
    authority: Authority
    served: tuple[Served, ...]
    warnings: tuple[str, ...] = ()
    plans: tuple[str, ...] = ()
    generated_password: str | None = None
    recovery_codes: int | None = None
    logins: tuple[str, ...] = ()
    kernels: tuple[str, ...] = ()
    cards: tuple[str, ...] = ()
    laptops: tuple[str, ...] = ()
    disks: tuple[str, ...] = ()
    # Empty where there has been none.
    last_backup: str = ""
    # The user whose the notebooks' folder is, where the lab has told.
    owner: int | None = None


def message(status: Status) -> str:
    """Every line as it may be printed: certificates, logins and reasons hold what others have chosen."""
    return "\n".join(shown(line, LINE_MAX) for line in _lines(status))


def _lines(status: Status) -> Iterator[str]:
    settings = status.settings
    rule = "─" * 72
    yield rule
    yield "  Workhorse"
    yield ""
    yield from _addresses(settings)
    yield ""
    yield f"  Password      {_password(status)}"
    if status.recovery_codes is not None:
        yield f"                and a code from your phone, or one of {status.recovery_codes} recovery codes"
    whose = "" if status.owner is None else f", user {status.owner}'s"
    yield f"  Notebooks     {settings.repositories} on this machine{whose}"
    yield from _listed("Kernels", status.kernels)
    yield from _listed("Cards", status.cards)
    yield from _listed("Disks", status.disks)
    yield from _listed("Last backup", (status.last_backup,) if status.last_backup else ())
    yield from _listed("Laptops", status.laptops)
    yield from _certificates(status)
    yield from _listed("Logins", status.logins)
    for warning in status.warnings:
        first, *rest = warning.splitlines()
        yield ""
        yield f"  ATTENTION     {first}"
        yield from (f"              {line}" for line in rest)
    yield rule


def _listed(name: str, lines: tuple[str, ...]) -> Iterator[str]:
    """A name beside the first line, and the others below that one."""
    yield from (f"  {'' if number else name:12}  {line}" for number, line in enumerate(lines))


def _addresses(settings: Settings) -> Iterator[str]:
    port, address = settings.port, settings.listen_address
    if address.is_loopback:
        end = f"{ServerName(str(address)).in_url}:{port}"
        yield f"  Listens to this machine alone. From yours: ssh -L {port}:{end} USER@THIS-MACHINE, then"
        yield f"  Open          https://localhost:{port}"
        return
    for number, url in enumerate(addresses(settings)):
        note = "   (on this machine itself)" if url == f"https://localhost:{port}" else ""
        yield f"  {'' if number else 'Open':12}  {url}{note}"
    if not settings.server_names:
        yield f"                https://THIS-MACHINES-NAME:{port} from elsewhere; put that name into .env, so that"
        yield "                the certificate holds it: SERVER_NAMES=lab.example.org,192.168.1.20"


def addresses(settings: Settings) -> Iterator[str]:
    """Where it opens, as far as that is known in here."""
    yield from (f"https://{name.in_url}:{settings.port}" for name in settings.server_names)
    if settings.listen_address.is_unspecified or settings.listen_address.is_loopback:
        yield f"https://localhost:{settings.port}"


def _certificates(status: Status) -> Iterator[str]:
    for number, served in enumerate(status.served):
        yield f"  {'' if number else 'Certificate':12}  {served.kind}, until {served.last_day}, for"
        yield from textwrap.wrap(", ".join(served.names), 72, initial_indent=INDENT, subsequent_indent=INDENT)
    if any(served.kind == PRIVATE for served in status.served):
        yield f"{INDENT}Compare the private authority's SHA-256 fingerprint before you trust it:"
        yield from (f"{INDENT}{half}" for half in _halves(status.authority.fingerprint))
        yield f"{INDENT}To see no warning again: docker compose exec workhorse workhorse share-ca"
    for number, plan in enumerate(status.plans):
        first, *rest = textwrap.wrap(plan, 100, break_long_words=False, break_on_hyphens=False)
        yield f"  {'' if number else 'Next':12}  {first}"
        yield from (f"{INDENT}{line}" for line in rest)


def _password(status: Status) -> str:
    if status.generated_password:
        return f"{status.generated_password}   (made up now, and shown this once)"
    if status.has_password:
        return "as you set it"
    return "the one from before; a new one: docker compose exec workhorse workhorse reset-password"


def _halves(fingerprint: str) -> tuple[str, str]:
    middle = len(fingerprint) // 2
    return fingerprint[: middle + 1], fingerprint[middle + 1 :]
