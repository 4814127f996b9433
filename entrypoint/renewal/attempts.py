"""What became of the last attempts to obtain certificates, kept so that a restart can't exceed anyone's limits."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted
from entrypoint.renewal.acme import BACKOFF_LONGEST, Acme, backoff

# At one a day at most, more than a century of them.
FAILURES_MAX = 100_000


@dataclass(frozen=True)
class Attempt:
    """What became of the last attempt for a name, and when the next one is due."""

    next: str = ""
    failures: int = 0
    reason: str = ""

    @property
    def time(self) -> datetime:
        return datetime.fromisoformat(self.next)

    def failed(self, now: datetime, reason: str) -> Attempt:
        """The attempt after this one, when it has failed."""
        failures = self.failures + 1
        return Attempt((now + backoff(failures)).isoformat(), failures, reason)

    def is_due(self, now: datetime) -> bool:
        """Also when the time lies further ahead than any wait: then the clock has been wrong."""
        return not self.next or not now < self.time < now + BACKOFF_LONGEST * 1.2


def read_attempts(path: Path, acme: Acme) -> dict[str, Attempt]:
    """The last attempts, none of them if the settings have changed since or the file is damaged."""
    try:
        kept = json.loads(read_untrusted(path))
        if kept["settings"] != _settings(acme):
            return {}
        return {name: _read_attempt(**attempt) for name, attempt in kept["names"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError):
        return {}


def write_attempts(path: Path, acme: Acme, attempts: Mapping[str, Attempt]) -> None:
    names = {name: asdict(attempt) for name, attempt in attempts.items()}
    write_private(path, json.dumps({"settings": _settings(acme), "names": names}).encode())


def _settings(acme: Acme) -> list[str]:
    return [acme.email, acme.server, str(acme.ca_file), str(acme.dns_hook)]


def _read_attempt(next: str, failures: int, reason: str) -> Attempt:
    """Raises ValueError or TypeError where a value is not what was written."""
    time = datetime.fromisoformat(next).astimezone(UTC).isoformat()
    if not 0 <= int(failures) <= FAILURES_MAX:
        raise ValueError
    return Attempt(time, int(failures), str(reason))
