"""Certificates from Let's Encrypt or another ACME server (RFC 8555), by certbot as a program of its own."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from entrypoint.files.private import make_private_folder, set_aside, write_private
from entrypoint.files.untrusted import read_linked, read_untrusted
from entrypoint.renewal.causes import explain, explain_hook
from entrypoint.renewal.lineage import Lineage
from entrypoint.system.trust import BUNDLE_BYTES_MAX, PUBLIC_AUTHORITIES

# In the container, and above 1024 so that an unprivileged user may listen there on any network.
HTTP_PORT = 8880
TIMEOUT_SECONDS = 300
CERTBOT = "import sys; from certbot.main import main; sys.exit(main())"
# Let's Encrypt allows 5 failed validations of a name in an hour: at 5, 10, 20, 40 ... minutes there are never more.
BACKOFF_FIRST = timedelta(minutes=5)
BACKOFF_LONGEST = timedelta(days=1)
LETS_ENCRYPT = "letsencrypt"


@dataclass(frozen=True)
class Acme:
    """Whom to ask for certificates, and how to prove that a name is ours."""

    email: str
    folder: Path
    server: str = ""
    ca_file: Path | None = None
    dns_hook: Path | None = None

    @property
    def home(self) -> Path:
        """Certbot's folder for this server alone: one from another server is never taken for a renewal."""
        return self.folder / (re.sub(r"[^A-Za-z0-9.]+", "-", self.server.removeprefix("https://")) or LETS_ENCRYPT)

    def lineage(self, name: str) -> Lineage:
        return Lineage(self.home, name)


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
    yield from ("--config-dir", str(acme.home), "--work-dir", str(acme.home / "work"))
    yield from ("--logs-dir", str(acme.home / "logs"), "--max-log-backups", "3")
    if acme.server:
        yield from ("--server", acme.server)


def _proof(acme: Acme) -> Iterator[str]:
    if acme.dns_hook:
        hook = shlex.quote(str(acme.dns_hook))
        yield from ("--manual", "--preferred-challenges", "dns")
        yield from ("--manual-auth-hook", f"{hook} auth", "--manual-cleanup-hook", f"{hook} cleanup")
        # Certbot would look for a program by the quotes' name; `explain_hook` has looked.
        yield "--disable-hook-validation"
    else:
        yield from ("--standalone", "--preferred-challenges", "http", "--http-01-port", str(HTTP_PORT))


async def obtain(acme: Acme, name: str, environ: Mapping[str, str] = os.environ) -> None:
    """Makes sure that the lineage of a name holds a certificate that isn't due for renewal.

    Raises:
        AcmeError: certbot could not; what was there is untouched.
    """
    if acme.dns_hook and (reason := explain_hook(acme.dns_hook)):
        raise AcmeError(reason)
    make_private_folder(acme.folder)
    acme.lineage(name).set_aside_if_damaged()
    problem = await _run_certbot(acme, name, environ)
    # Lost by the server, or damaged here: a new account costs nothing.
    if problem and re.search(r"accountDoesNotExist|josepy\.errors\.DeserializationError", problem):
        set_aside(acme.home / "accounts")
        problem = await _run_certbot(acme, name, environ)
    if problem:
        raise AcmeError(explain(problem, acme.server, bool(acme.dns_hook)))


async def _run_certbot(acme: Acme, name: str, environ: Mapping[str, str]) -> str:
    """What certbot said if it failed, followed by the types of the ACME problems (RFC 8555, 6.7) in its log."""
    trust = {"REQUESTS_CA_BUNDLE": str(_trusted(acme, acme.ca_file, environ))} if acme.ca_file else {}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-c", CERTBOT, *certbot_arguments(acme, name)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
        umask=0o077,
        env={**environ, **trust},
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), TIMEOUT_SECONDS)
    except TimeoutError:
        raise AcmeError(f"certbot took longer than {TIMEOUT_SECONDS} seconds and was ended") from None
    finally:
        if process.returncode is None:
            os.killpg(process.pid, signal.SIGKILL)
    return output.decode(errors="replace") + _problem_types(acme) if process.returncode else ""


def _trusted(acme: Acme, ca_file: Path, environ: Mapping[str, str]) -> Path:
    """One bundle of whom the server trusts and the ACME server's root, since a DNS script may ask others too."""
    bundle = acme.folder / "authorities.pem"
    known = Path(environ.get("REQUESTS_CA_BUNDLE", PUBLIC_AUTHORITIES))
    try:
        write_private(bundle, read_untrusted(known, BUNDLE_BYTES_MAX, follow=True) + b"\n" + read_linked(ca_file))
    except OSError as error:
        raise AcmeError(f"ACME_CA_FILE can't be read: {error.strerror}") from None
    return bundle


def _problem_types(acme: Acme) -> str:
    # Certbot starts a new log with each run.
    try:
        log = read_untrusted(acme.home / "logs/letsencrypt.log").decode(errors="replace")
    except OSError:
        return ""
    return "\n".join(("", *dict.fromkeys(re.findall(r"urn:ietf:params:acme:error:\w+", log))))


def next_look(certificate_ends: datetime, now: datetime, jitter: float) -> datetime:
    """When certbot is asked whether a certificate is due: twice a day as Let's Encrypt advises, sooner for short lives.

    Args:
        jitter: From 0 to 1, at random, so that not everyone comes at once.
    """
    often = min(timedelta(hours=12), max((certificate_ends - now) / 6, timedelta(seconds=1)))
    return now + often * (0.9 + 0.2 * jitter)
