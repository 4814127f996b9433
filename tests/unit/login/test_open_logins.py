"""The devices that are logged in, and the logins that were ended."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrypoint.login.open_logins import (
    ENDED_MAX,
    OPEN_MAX,
    OpenLogins,
    is_sound,
    read_open_logins,
)

NOW = datetime(2026, 11, 29, 9, 30, tzinfo=UTC)
SIGNING = b"what signs logins"
ADDRESS, BROWSER = "203.0.113.1", "Firefox on Linux"


def begun(*names: str) -> OpenLogins:
    logins = OpenLogins(SIGNING)
    for name in names:
        logins.begin(name, ADDRESS, BROWSER, NOW)
    return logins


def kept(logins: OpenLogins, folder: Path) -> Path:
    path = folder / "open-logins.json"
    path.write_bytes(logins.text(NOW))
    return path


def names(logins: OpenLogins, now: datetime = NOW, days: int = 30) -> list[str]:
    return [each.login for each in logins.listed(days, now)]


def test_an_ended_login_stays_ended_after_a_restart_and_the_others_stay_listed(tmp_path: Path) -> None:
    logins = begun("laptop", "phone")
    logins.end("phone")
    again = read_open_logins(kept(logins, tmp_path), SIGNING)
    assert (names(again), list(again.ended)) == (["laptop"], ["phone"])


def test_another_secret_begins_the_list_anew(tmp_path: Path) -> None:
    logins = begun("laptop", "phone")
    logins.end("phone")
    again = read_open_logins(kept(logins, tmp_path), b"another")
    assert (names(again), list(again.ended)) == ([], [])


def test_the_file_holds_nothing_that_signs() -> None:
    assert SIGNING not in begun("laptop").text(NOW)
    assert SIGNING.hex().encode() not in begun("laptop").text(NOW)


def test_a_login_of_before_the_list_is_put_there_when_it_is_seen() -> None:
    logins = OpenLogins(SIGNING)
    assert logins.is_new("old", NOW)
    assert logins.see("old", ADDRESS, BROWSER, NOW)
    (old,) = logins.listed(30, NOW)
    assert (old.began, old.address, old.browser) == ("", ADDRESS, BROWSER)


def test_what_is_seen_again_within_a_minute_costs_nothing_and_is_written_down_once_an_hour() -> None:
    logins = begun("laptop")
    logins.text(NOW)
    assert not logins.is_new("laptop", NOW + timedelta(seconds=59))
    assert logins.is_new("laptop", NOW + timedelta(seconds=61))
    assert not logins.see("laptop", "203.0.113.2", BROWSER, NOW + timedelta(minutes=50))
    assert logins.see("laptop", "203.0.113.2", BROWSER, NOW + timedelta(minutes=61))
    assert logins.listed(30, NOW)[0].address == "203.0.113.2"


def test_a_login_that_is_over_by_its_age_is_not_listed() -> None:
    assert names(begun("laptop"), NOW + timedelta(days=2, hours=23), days=3) == ["laptop"]
    assert names(begun("laptop"), NOW + timedelta(days=3), days=3) == []


def test_of_too_many_the_one_that_was_seen_longest_ago_leaves_the_list_and_is_not_ended() -> None:
    logins = begun("first")
    for number in range(OPEN_MAX):
        logins.begin(f"{number}", ADDRESS, BROWSER, NOW + timedelta(minutes=1))
    assert len(names(logins)) == OPEN_MAX
    assert "first" not in names(logins)
    assert not logins.ended


def test_the_longest_list_can_be_read_back(tmp_path: Path) -> None:
    logins = begun(*(f"{number:032}" for number in range(OPEN_MAX)))
    for number in range(ENDED_MAX):
        assert not logins.is_full
        logins.end(f"{number:032x}")
    assert logins.is_full
    assert len(read_open_logins(kept(logins, tmp_path), SIGNING).ended) == ENDED_MAX


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"signed_by": "x", "open": []}',
        '{"signed_by": "x", "open": [], "ended": [1]}',
        '{"signed_by": "x", "open": [["a", "b"]], "ended": []}',
        '{"signed_by": "x", "open": [["a", "", "2026-11-29", "", ""]], "ended": []}',
        '{"signed_by": "x", "open": [["a", "", "2026-11-29T09:30:00+00:00", "", "\\u001b[2J"]], "ended": []}',
    ],
)
def test_what_is_no_list_is_none(text: str) -> None:
    assert not is_sound(text)


def test_what_was_kept_is_sound() -> None:
    assert is_sound(begun("laptop").text(NOW).decode())
