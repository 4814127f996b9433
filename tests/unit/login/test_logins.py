"""The list of logins: what is kept, what is shown, and what a person is told."""

from __future__ import annotations

import json
from pathlib import Path

from entrypoint.files.private import write_private
from entrypoint.login.logins import Login, added, as_kept, last_before_this, latest_of_each_kind, read_logins

FLOOD = [f"198.51.100.{number}" for number in range(200)]


def login(number: int, address: str = "203.0.113.1", success: bool = True, knew_password: bool = False) -> Login:
    return Login(f"2026-11-25T12:00:{number:02}+00:00", address, "curl", success, knew_password=knew_password)


def after_a_flood(*first: Login) -> list[Login]:
    kept: list[Login] = []
    for each in (*first, *(login(9, address, success=False) for address in FLOOD)):
        kept = added(kept, each)
    return kept


def test_a_list_of_an_earlier_version_stays_readable(tmp_path: Path) -> None:
    file = tmp_path / "logins.json"
    earlier = {"time": "2026-11-24T12:00:00+00:00", "address": "203.0.113.1", "browser": "curl", "success": False}
    file.write_text(json.dumps([earlier | {"count": 3}]))
    kept = read_logins(file)
    assert [each.line for each in kept] == ["2026-11-24 12:00 UTC  wrong password, 3 times, from 203.0.113.1 (curl)"]
    write_private(file, as_kept(kept))
    assert read_logins(file) == kept


def test_a_right_password_with_a_wrong_code_is_told_apart_from_a_wrong_password() -> None:
    kept: list[Login] = []
    for knew_password in (False, True, True, False):
        kept = added(kept, login(1, success=False, knew_password=knew_password))
    whats = [each.line.split("  ")[1].split(", from")[0] for each in kept]
    assert whats == ["wrong password", "right password, wrong or used code, 2 times", "wrong password"]


def test_a_flood_hides_neither_the_logins_nor_a_known_password() -> None:
    known = login(2, success=False, knew_password=True)
    kept = after_a_flood(login(1), known, login(3))
    assert kept[:3] == [login(1), known, login(3)]
    shown = latest_of_each_kind(kept)
    assert shown[:3] == [login(1), known, login(3)]
    assert [each.address for each in shown[3:]] == FLOOD[-4:]


def test_the_latest_of_each_kind_are_shown_in_the_order_of_time() -> None:
    kept = [login(number, FLOOD[number], success=number % 2 == 0) for number in range(20)]
    assert latest_of_each_kind(kept) == kept[-8:]
    assert latest_of_each_kind(kept[:1]) == kept[:1]
    assert latest_of_each_kind([]) == []


def test_who_logs_in_is_told_that_somebody_knew_the_password() -> None:
    guesses = [login(2, success=False), login(3, success=False, knew_password=True)]
    told = last_before_this([login(1), *guesses, login(4)])
    assert told
    assert told.endswith(" Wrong passwords since: 1. Right passwords with a wrong or used code since: 1.")
    assert "since" not in str(last_before_this([*guesses, login(4), login(5)]))


def test_of_several_logins_the_latest_before_this_one_is_told() -> None:
    several = [login(1), login(2, success=False), login(3, "203.0.113.3"), login(4, success=False), login(5)]
    told = last_before_this(several) or ""
    assert told.startswith("Last login before this one: 2026-11-25 12:00 UTC from 203.0.113.3 (curl).")
    assert told.endswith("Wrong passwords since: 1.")
    assert last_before_this(several[:2]) is None
