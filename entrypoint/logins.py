"""The recent logins and wrong guesses, kept in the volume so that a person can see who has been at the door."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from entrypoint.private_files import Owner, write_private

KEPT = 100
# In the order in which one hides behind another's name: Edge says Chrome too, and Chrome says Safari.
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Mac", "CrOS", "Linux")


@dataclass(frozen=True)
class Login:
    """One login, or several wrong guesses in a row from one address.

    Args:
        time: Of the latest, in ISO 8601 with its zone.
        address: Full, of whoever came.
    """

    time: str
    address: str
    browser: str
    success: bool
    count: int = 1

    @property
    def minute(self) -> str:
        return f"{self.time[:16].replace('T', ' ')} UTC"

    @property
    def line(self) -> str:
        what = "logged in" if self.success else f"wrong{'' if self.count == 1 else f', {self.count} times'}"
        return f"{self.minute}  {what}, from {self.address} ({self.browser})"


def browser_name(user_agent: str) -> str:
    """A few words for a User-Agent header, with nothing of it that its sender could choose freely."""
    name = next((name for sign, name in BROWSERS if sign in user_agent), None)
    system = next((system for system in SYSTEMS if system in user_agent), None)
    if name is None:
        known = re.match(r"(curl|Wget|python-requests)/", user_agent)
        name = known[1] if known else "unknown browser"
    return f"{name} on {system}" if system else name


def added(logins: Sequence[Login], new: Login) -> list[Login]:
    """The list with one more at its end, bounded: wrong guesses of one address in a row are counted, not listed."""
    last = logins[-1] if logins else None
    if last and not new.success and not last.success and last.address == new.address:
        return [*logins[:-1], replace(new, count=last.count + 1)]
    kept = [*logins, new]
    while len(kept) > KEPT:
        # A flood of guesses from many addresses can't push the logins out.
        kept.remove(next((each for each in kept if not each.success), kept[0]))
    return kept


def read_logins(path: Path) -> list[Login]:
    """What was kept; nothing where that is damaged, since no work depends on it."""
    try:
        logins = [Login(**each) for each in json.loads(path.read_text())]
    except (OSError, ValueError, TypeError, RecursionError):
        return []
    return logins[-KEPT:] if all(map(_is_sound, logins)) else []


def _is_sound(login: Login) -> bool:
    """Whether each field is of its type and in one line, so that the list can be shown."""
    texts = (login.time, login.address, login.browser)
    are_lines = all(isinstance(text, str) and text.isprintable() for text in texts)
    return are_lines and type(login.success) is bool and type(login.count) is int and login.count > 0


def write_logins(path: Path, logins: Sequence[Login], owner: Owner | None = None) -> None:
    write_private(path, json.dumps([asdict(each) for each in logins]).encode(), owner)


def last_before_this(logins: Sequence[Login]) -> str | None:
    """What a person who has just logged in should know about the time before; None at the first login."""
    successes = [number for number, each in enumerate(logins) if each.success]
    if len(successes) < 2:
        return None
    previous, latest = successes[-2:]
    wrong = sum(each.count for each in logins[previous + 1 : latest] if not each.success)
    guesses = f" Wrong passwords since: {wrong}." if wrong else ""
    login = logins[previous]
    return f"Last login before this one: {login.minute} from {login.address} ({login.browser}).{guesses}"
