"""Certificates from Let's Encrypt or another ACME server (RFC 8555), by certbot as a program of its own."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from entrypoint.private_files import set_aside

# In the container, and above 1024 so that an unprivileged user may listen there on any network.
HTTP_PORT = 8880
TIMEOUT_SECONDS = 300
CERTBOT = "import sys; from certbot.main import main; sys.exit(main())"
# Let's Encrypt allows 5 failed validations of a name in an hour: at 5, 10, 20, 40 ... minutes there are never more.
BACKOFF_FIRST = timedelta(minutes=5)
BACKOFF_LONGEST = timedelta(days=1)


@dataclass(frozen=True)
class Acme:
    """Whom to ask for certificates, and how to prove that a name is ours."""

    email: str
    folder: Path
    server: str = ""
    ca_file: Path | None = None
    dns_hook: Path | None = None

    def lineage(self, name: str) -> Path:
        return self.folder / "live" / name


class AcmeError(Exception):
    """What went wrong, with what to do about it."""


def backoff(failures: int) -> timedelta:
    factor: int = 2 ** min(failures - 1, 16)
    return min(BACKOFF_FIRST * factor, BACKOFF_LONGEST)


def certbot_arguments(acme: Acme, name: str) -> list[str]:
    """One certificate for each name, so that one name's trouble stays its own."""
    return [
        "certonly",
        "--non-interactive",
        "--agree-tos",
        "--keep-until-expiring",
        *_identity(acme, name),
        *_proof(acme),
    ]


def _identity(acme: Acme, name: str) -> Iterator[str]:
    yield from ("--email", acme.email, "--no-eff-email", "--cert-name", name, "--domains", name)
    yield from ("--key-type", "ecdsa", "--elliptic-curve", "secp256r1")
    yield from ("--config-dir", str(acme.folder), "--work-dir", str(acme.folder / "work"))
    yield from ("--logs-dir", str(acme.folder / "logs"), "--max-log-backups", "3")
    if acme.server:
        yield from ("--server", acme.server)


def _proof(acme: Acme) -> Iterator[str]:
    if acme.dns_hook:
        yield from ("--manual", "--preferred-challenges", "dns")
        yield from (
            "--manual-auth-hook",
            f"'{acme.dns_hook}' auth",
            "--manual-cleanup-hook",
            f"'{acme.dns_hook}' cleanup",
        )
    else:
        yield from ("--standalone", "--preferred-challenges", "http", "--http-01-port", str(HTTP_PORT))


async def obtain(acme: Acme, name: str, environ: Mapping[str, str] = os.environ) -> None:
    """Makes sure that the lineage of a name holds a certificate that isn't due for renewal.

    Raises:
        AcmeError: certbot could not; what was there is untouched.
    """
    trust = {"REQUESTS_CA_BUNDLE": str(acme.ca_file)} if acme.ca_file else {}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", CERTBOT, *certbot_arguments(acme, name)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        env={**environ, **trust},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    except TimeoutError:
        raise AcmeError(f"certbot took longer than {TIMEOUT_SECONDS} seconds and was ended") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    if process.returncode:
        text = output.decode(errors="replace")
        if "accountDoesNotExist" in text:
            set_aside(acme.folder / "accounts")
        raise AcmeError(explain(text, acme))


def explain(output: str, acme: Acme) -> str:
    """What certbot's output comes to, with the remedy where the cause is a known one."""
    for sign, remedy in _known_causes(acme):
        if re.search(sign, output):
            return f"{_detail(output)}. {remedy}"
    return _detail(output)


def _known_causes(acme: Acme) -> Iterator[tuple[str, str]]:
    yield (
        "rateLimited|too many",
        "Its limit is reached; Workhorse waits. For trials there is a server without: "
        + ("ACME_SERVER=https://acme-staging-v02.api.letsencrypt.org/directory"),
    )
    yield (
        r"Could not bind TCP port|Address already in use",
        (f"Something in the container listens on port {HTTP_PORT}, which Workhorse needs for a moment: end it"),
    )
    yield "accountDoesNotExist", "The account is unknown there (any more); the next attempt registers a new one"
    yield (
        r"Hook '.*' (reported error|ran with error)|hook command .* (returned|exited)",
        ("ACME_DNS_HOOK failed: run it by hand to see why"),
    )
    if not acme.dns_hook:
        yield (
            r"Type:\s+(connection|unauthorized)",
            (
                "The internet has to reach this server by that name on port 80: in .env, "
                "COMPOSE_FILE=docker-compose.yml:compose/letsencrypt.yml, and let port 80 through the firewall"
            ),
        )
    yield r"Type:\s+dns", "The name has to stand in the public DNS and lead to this server"
    yield "CERTIFICATE_VERIFY_FAILED|SSLError", "The ACME server's own certificate is not trusted: set ACME_CA_FILE"
    yield (
        r"ConnectionError|Max retries exceeded|ReadTimeout|timed out",
        ("The ACME server can't be reached from here; Workhorse tries again"),
    )


def _detail(output: str) -> str:
    """The one line that tells most."""
    for pattern in (r"Detail:\s*(.+)", r"(Could not bind TCP port[^.]*)", r"(?:Error|error)[:\s]+(.+)"):
        if found := re.findall(pattern, output):
            return str(found[0]).strip().rstrip(".")[:300]
    lines = [line.strip() for line in output.splitlines() if line.strip() and "certbot" not in line.lower()]
    return (lines[-1] if lines else "certbot gave no reason").rstrip(".")[:300]


def next_look(certificate_ends: datetime, now: datetime, jitter: float) -> datetime:
    """When certbot is asked whether a certificate is due: twice a day as Let's Encrypt advises, sooner for short lives.

    Args:
        jitter: From 0 to 1, at random, so that not everyone comes at once.
    """
    often = min(timedelta(hours=12), max((certificate_ends - now) / 6, timedelta(seconds=1)))
    return now + often * (0.9 + 0.2 * jitter)
