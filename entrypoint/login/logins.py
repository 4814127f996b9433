"""The recent logins and wrong guesses, kept in the volume so that a person can see who has been at the door."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import chain
from pathlib import Path

from entrypoint.files.untrusted import read_untrusted

KEPT = 100
SHOWN_OF_EACH_KIND = 4
# Of what is kept of a login, and of the guesses in a row: more than ever comes together.
LENGTH_MAX, COUNT_MAX = 100, 10**12
# In the order in which one hides behind another's name: Edge says Chrome too, and Chrome says Safari.
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrome", "Chrome"), ("Safari", "Safari"))
KINDS = ("wrong password", "right password, wrong or used code", "logged in")
SYSTEMS = ("iPhone", "iPad", "Android", "Windows", "Mac", "CrOS", "Linux")


@dataclass(frozen=True)
class Login:
    """One login, or several wrong guesses in a row from one address.

    Args:
        time: Of the latest, in ISO 8601 with its zone.
        address: Full, of whoever came.
        knew_password: Whether only the code was wrong.
    """

    time: str
    address: str
    browser: str
    success: bool
    count: int = 1
    knew_password: bool = False

    @property
    def minute(self) -> str:
        return f"{self.time[:16].replace('T', ' ')} UTC"

    @property
    def line(self) -> str:
        times = "" if self.count == 1 else f", {self.count} times"
        return f"{self.minute}  {KINDS[self.kind]}{times}, from {self.address} ({self.browser})"

    @property
    def kind(self) -> int:
        """Its place in `KINDS`; the higher, the more it matters that it is kept."""
        return 2 if self.success else int(self.knew_password)


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
    if last and not new.success and last.kind == new.kind and last.address == new.address:
        return [*logins[:-1], replace(new, count=last.count + 1)]
    kept = [*logins, new]
    while len(kept) > KEPT:
        # The oldest of the least kind: a flood of guesses from many addresses can't push the logins out.
        kept.remove(min(kept, key=lambda each: each.kind))
    return kept


def latest_of_each_kind(logins: Sequence[Login]) -> list[Login]:
    """What is worth showing, in the order of time; a flood of one kind leaves the others their room."""
    of_kinds = ([number for number, each in enumerate(logins) if each.kind == kind] for kind in range(len(KINDS)))
    shown = chain.from_iterable(numbers[-SHOWN_OF_EACH_KIND:] for numbers in of_kinds)
    return [logins[number] for number in sorted(shown)]


def read_logins(path: Path) -> list[Login]:
    """What was kept; nothing where that is damaged, since no work depends on it."""
    try:
        logins = [Login(**each) for each in json.loads(read_untrusted(path))]
    except (OSError, ValueError, TypeError, RecursionError):
        return []
    return logins[-KEPT:] if all(map(_is_sound, logins)) else []


def _is_sound(login: Login) -> bool:
    """Whether each field is of its type and in one line, so that the list can be shown."""
    texts = (login.time, login.address, login.browser)
    are_lines = all(isinstance(text, str) and text.isprintable() and len(text) <= LENGTH_MAX for text in texts)
    are_bools = type(login.success) is bool and type(login.knew_password) is bool
    return are_lines and are_bools and type(login.count) is int and 0 < login.count <= COUNT_MAX


def as_kept(logins: Sequence[Login]) -> bytes:
    return json.dumps([asdict(each) for each in logins]).encode()


def last_before_this(logins: Sequence[Login]) -> str | None:
    """What a person who has just logged in should know about the time before; None at the first login."""
    successes = [number for number, each in enumerate(logins) if each.success]
    if len(successes) < 2:
        return None
    previous, latest = successes[-2:]
    wrong, wrong_codes = (
        sum(each.count for each in logins[previous + 1 : latest] if each.kind == kind) for kind in (0, 1)
    )
    guesses = f" Wrong passwords since: {wrong}." if wrong else ""
    codes = f" Right passwords with a wrong or used code since: {wrong_codes}." if wrong_codes else ""
    login = logins[previous]
    return f"Last login before this one: {login.minute} from {login.address} ({login.browser}).{guesses}{codes}"
