"""`docker compose run --rm workhorse check`: judges `.env` as a start would, and changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from entrypoint.certificates.authority import load_authority, reason_to_replace
from entrypoint.certificates.own import Read, hold, own_files, read_own
from entrypoint.door.messenger import reason_against
from entrypoint.door.state import refuse_newer_layout
from entrypoint.files.errors import Problem, WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted
from entrypoint.report.installation import changes, find_clone, read_clone
from entrypoint.report.made_of import differences
from entrypoint.settings.names import LOCAL_NAMES
from entrypoint.settings.reader import NOTIFY_REMEDY
from entrypoint.settings.settings import Settings, from_environ, misspelt
from entrypoint.system.identity import door_identity
from entrypoint.system.trust import judge_company, refuse_closed

COMMANDS = (["check"], ["workhorse", "check"])


def check(places: Places, environ: Mapping[str, str], now: datetime, say: Callable[[str], None]) -> None:
    """Says that all is well, and what else a start would do that a person should know.

    Raises:
        WorkhorseError: What a start would refuse or warn of.
    """
    settings = from_environ(environ)
    identity = door_identity(places)
    judge_company(places.company_authority)
    refuse_closed(places.company_authority)
    pair = hold(own_files(places, settings))
    identity.become_person()

    refuse_newer_layout(places.layout)
    pairs = _judge_pair(places, settings, pair, now)
    others = (*_judge_place(places), *differences(places), *_judge_notify_url(settings))
    if problems := [*_misspelt(environ), *pairs, *others]:
        raise WorkhorseError(problems)
    for line in _foreseen(places, settings, now):
        say(line)
    say("The settings are sound. Next: docker compose up -d")


def _misspelt(environ: Mapping[str, str]) -> Iterator[Problem]:
    for name, meant in misspelt(environ).items():
        yield Problem(f"{name} is no setting, and does nothing.", f"Is {meant} meant?")


def _judge_pair(places: Places, settings: Settings, pair: Read, now: datetime) -> Iterator[Problem]:
    if files := own_files(places, settings):
        try:
            read_own(files, now, pair)
        except ValueError as error:
            yield Problem(
                f"CERTIFICATE_FILE and KEY_FILE can't be used: {error}.",
                "Mend the files, or empty both settings: the private authority's certificate serves then.",
            )


def _judge_place(places: Places) -> Iterator[Problem]:
    yield from changes(read_clone(places.installation), find_clone(places))


def _judge_notify_url(settings: Settings) -> Iterator[Problem]:
    if settings.notify_url and (reason := reason_against(settings.notify_url)):
        yield Problem(f"NOTIFY_URL leads nowhere: {reason}.", NOTIFY_REMEDY)


def _foreseen(places: Places, settings: Settings, now: datetime) -> Iterator[str]:
    """That every device has to trust anew, since names were added that the authority may not vouch for."""
    try:
        authority = load_authority(read_untrusted(places.tls.authority))
    except (OSError, ValueError):  # there is none yet, or a start makes it anew
        return
    if reason := reason_to_replace(authority, (*LOCAL_NAMES, *settings.server_names), now):
        yield f"A start makes a new private authority, which every device has to trust anew: {reason}."
