"""Why certbot failed, in one sentence, and what to do about it: its exit status is 1 for everything."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

from entrypoint.files.untrusted import shown

# The address by which Let's Encrypt lets a name that it has paused go on is longer than 500.
LENGTH_MAX = 1000
STAGING = "https://acme-staging-v02.api.letsencrypt.org/directory"
OPEN_PORT_80 = (
    "That name has to lead to this machine, and port 80 has to reach it from the internet: in .env, "
    "COMPOSE_FILE=docker-compose.yml:compose/letsencrypt.yml, and in the firewall. Where that can't be: ACME_DNS_HOOK"
)


def explain(output: str, server: str, has_hook: bool) -> str:
    """What certbot's output comes to, without the last full stop.

    Args:
        server: ACME_SERVER as it is set.
        has_hook: Whether a script proves the names, by DNS.
    """
    remedy = next((remedy for sign, remedy in _causes(server, has_hook) if re.search(sign, output)), "")
    return ". ".join(filter(None, (_detail(output), remedy)))


def explain_hook(hook: Path) -> str | None:
    """Why a script can't be run; None if it can."""
    if not hook.is_file():
        return f"ACME_DNS_HOOK names {hook.name}, which is not in the folder that CERTIFICATES names"
    if not os.access(hook, os.X_OK):
        return (
            f"ACME_DNS_HOOK names {hook.name}, which may not be run. In CERTIFICATES: chmod +x {shlex.quote(hook.name)}"
        )
    return None


def _causes(server: str, has_hook: bool) -> Iterator[tuple[str, str]]:
    """A sign of each cause that is known, and its remedy; the first that fits counts."""
    yield from _causes_on_this_machine()
    yield from _causes_at_the_server(server)
    if has_hook:
        yield r"auth-hook' .* reported error code", "Mend that script; it runs in the container"
        yield (
            r"Type:\s+(dns|unauthorized|connection)",
            "ACME_DNS_HOOK has to set that record and to return only when the public DNS shows it",
        )
    yield r"Type:\s+caa", "A CAA record in the DNS names who may issue for the name: add this ACME server's authority"
    yield r"Type:\s+(connection|unauthorized|dns)", OPEN_PORT_80
    yield from _causes_on_the_way(server or "Let's Encrypt")


def _causes_on_this_machine() -> Iterator[tuple[str, str]]:
    yield (
        "Could not bind TCP port|Address already in use",
        "Workhorse needs that port of its container for a moment, and something else of yours listens there: "
        "docker compose restart workhorse",
    )
    yield "Permission denied", "A start gives those files back to the server's user: docker compose restart workhorse"
    yield r"No space left|Errno 28", "Free some space on the disk that holds Docker's volumes: docker system df"


def _causes_at_the_server(server: str) -> Iterator[tuple[str, str]]:
    trials = f". For trials there is a server without: ACME_SERVER={STAGING}"
    yield (
        "error:rateLimited|too many",
        "That is a limit of the ACME server; Workhorse waits" + ("" if server else trials),
    )
    yield (
        "external account binding|error:externalAccountRequired",
        "It wants an account from its website, which Workhorse can't use: choose another ACME_SERVER",
    )
    yield (
        "invalid email address|error:(invalidContact|unsupportedContact)",
        "Set one that receives mail: LETSENCRYPT_EMAIL=ada@example.org",
    )
    yield "error:accountDoesNotExist", "The account is unknown there; the next attempt registers a new one"
    yield "error:rejectedIdentifier", "The private authority's certificate goes on serving that name"
    yield "error:serverInternal|Response \\[5", "The ACME server itself is in trouble; Workhorse tries again"


def _causes_on_the_way(server: str) -> Iterator[tuple[str, str]]:
    yield (
        "CERTIFICATE_VERIFY_FAILED",
        f"So {server} is not trusted: name its root in ACME_CA_FILE, or in CA_FILE your company's authority",
    )
    yield (
        r"acme\.errors\.ClientError|WRONG_VERSION_NUMBER|JSONDecodeError",
        f"No ACME server answers at {server}: ACME_SERVER has to be the whole address of its directory",
    )
    yield (
        "ConnectionError|Max retries exceeded|ReadTimeout|timed out|SSLError",
        f"So {server} can't be reached from here; Workhorse tries again",
    )


# What tells most stands first, with the sentence that it becomes. `requests` wraps the cause into two others.
DETAILS = (
    (r"(Could not bind TCP port \d+)", "{}"),
    (
        r"auth-hook' .* reported error code \d+(?s:.*?)auth-hook' .* ran with error output:\n\s*(.+)",
        "ACME_DNS_HOOK says: {}",
    ),
    (r"auth-hook' .* reported error code (\d+)", "ACME_DNS_HOOK ended with exit status {}"),
    (r"Detail:\s*(.+)", "{}"),
    (r"certificate verify failed: ([^(\n]+)", "{}"),
    (r"Caused by \w+\(\"\w+\(.*?\): (.+)\"\)+$", "{}"),
    (r"Caused by .*, '(?:\[SSL: \w+\] )?(.+?)(?: \(_ssl\S+\))?'\)+$", "{}"),
    (r"ClientError: <Response \[(\d+)\]>", "The answer was HTTP status {}"),
    (r"An unexpected error occurred:\n(?:[\w.]+(?:Error|Exception|Timeout): )?(?:\w+Pool\(.*?\): )?(.+)", "{}"),
)


def _detail(output: str) -> str:
    """The one line that tells most, without what changes at each attempt."""
    found = (text.format(match[1]) for sign, text in DETAILS if (match := re.search(sign, output, re.MULTILINE)))
    line = next(found, None) or _last_line(output)
    line = re.sub(r"/\.well-known/acme-challenge/[\w-]+", "/...", line.strip())
    return shown(line.rstrip("."), LENGTH_MAX) or "certbot gave no reason"


def _last_line(output: str) -> str:
    own = ("Saving debug log", "Ask for help", "urn:")
    lines = [line for line in output.splitlines() if line.strip() and not line.startswith(own)]
    return lines[-1] if lines else ""
