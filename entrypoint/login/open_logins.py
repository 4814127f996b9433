"""The logins that are open, each with its device, and those that were ended before their time.

A cookie alone says that a login was made; this list says that it was not taken back. One that isn't on it, as after an
update, or where the disk was full, is put there when it is seen next.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from entrypoint.files.untrusted import read_untrusted

OPEN_MAX = 100
# With so many, and the open ones, the file stays below what is read of it.
ENDED_MAX = 10_000
LENGTH_MAX = 100
# How exact it is when a device was seen last: in memory, and after a crash.
SEEN, SEEN_AFTER_A_CRASH = timedelta(minutes=1), timedelta(hours=1)


@dataclass(frozen=True)
class OpenLogin:
    """One device that is logged in.

    Args:
        login: What its cookie names.
        began: In ISO 8601 with its zone; empty where the login is older than the list.
        seen: The same of the last request.
    """

    login: str
    began: str
    seen: str
    address: str
    browser: str


class OpenLogins:
    """What is known of the logins that one secret has signed: another makes all of them void.

    Args:
        signing: That secret.
    """

    def __init__(self, signing: bytes, logins: Sequence[OpenLogin] = (), ended: Sequence[str] = ()) -> None:
        self.signed_by = digest(signing)
        self.logins = {each.login: each for each in logins}
        self.ended = dict.fromkeys(ended)
        self._written = datetime.min.replace(tzinfo=UTC)

    @property
    def is_full(self) -> bool:
        """Whether no more can be told from those that were ended."""
        return len(self.ended) >= ENDED_MAX

    def begin(self, login: str, address: str, browser: str, now: datetime) -> None:
        self._put(OpenLogin(login, _text(now), _text(now), address, browser))

    def is_new(self, login: str, now: datetime) -> bool:
        """Whether `see` has anything to do for a request."""
        known = self.logins.get(login)
        return known is None or abs(now - _time(known.seen)) > SEEN

    def see(self, login: str, address: str, browser: str, now: datetime) -> bool:
        """Notes a request of a login that is good; whether that is worth writing down."""
        known = self.logins.get(login)
        seen = replace(known, seen=_text(now)) if known else OpenLogin(login, "", _text(now), "", "")
        self._put(replace(seen, address=address, browser=browser))
        return known is None or abs(now - self._written) > SEEN_AFTER_A_CRASH

    def end(self, login: str) -> None:
        self.logins.pop(login, None)
        self.ended[login] = None

    def listed(self, days: int, now: datetime) -> list[OpenLogin]:
        """Those whose cookies may still be good, the latest seen first."""
        good = [each for each in self.logins.values() if now - _time(each.began or each.seen) < timedelta(days=days)]
        return sorted(good, key=lambda each: each.seen, reverse=True)

    def text(self, now: datetime) -> bytes:
        """As it is kept."""
        self._written = now
        logins = [astuple(each) for each in self.logins.values()]
        return json.dumps({"signed_by": self.signed_by, "open": logins, "ended": list(self.ended)}).encode()

    def _put(self, login: OpenLogin) -> None:
        self.logins[login.login] = login
        if len(self.logins) > OPEN_MAX:
            # It stays logged in, and comes back onto the list when it is seen.
            del self.logins[min(self.logins, key=lambda each: self.logins[each].seen)]


def is_sound(text: str) -> bool:
    """Whether a text tells which logins were ended."""
    try:
        _parsed(text)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False
    return True


def read_open_logins(path: Path, signing: bytes) -> OpenLogins:
    """What was kept; nothing where it is of logins that another secret has signed, all of which are over.

    A start has judged the file: where nothing can be read of it, no login of before is good (`keep_open_logins`).
    """
    try:
        signed_by, logins, ended = _parsed(read_untrusted(path).decode("ascii"))
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return OpenLogins(signing)
    return OpenLogins(signing, logins, ended) if signed_by == digest(signing) else OpenLogins(signing)


def digest(signing: bytes) -> str:
    """So that the file holds nothing that signs."""
    return hashlib.sha256(signing).hexdigest()


def _parsed(text: str) -> tuple[str, list[OpenLogin], list[str]]:
    kept = json.loads(text)
    logins = [OpenLogin(*each) for each in kept["open"]]
    texts = [kept["signed_by"], *kept["ended"], *(word for each in logins for word in astuple(each))]
    if not all(isinstance(each, str) and each.isprintable() and len(each) <= LENGTH_MAX for each in texts):
        raise ValueError("one of its texts is none")
    for time in (time for each in logins for time in (each.began or each.seen, each.seen)):
        _time(time)
    return kept["signed_by"], logins, kept["ended"]


def _text(time: datetime) -> str:
    return time.isoformat(timespec="seconds")


def _time(text: str) -> datetime:
    """Raises ValueError for what is no time with its zone."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text} has no zone")
    return time
