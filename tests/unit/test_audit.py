"""What `workhorse audit` finds weak."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.audit import judge_door, judge_password
from entrypoint.places import Places
from entrypoint.settings import from_environ

GOOD = "four words of my choice"


def weaknesses(**environ: str) -> str:
    return " ".join(finding.weakness for finding in judge_password(from_environ(environ)))


def test_a_short_password_is_weak_and_never_shown() -> None:
    findings = list(judge_password(from_environ({"JUPYTER_PASSWORD": "sesame-9"})))
    assert "8 characters" in findings[0].weakness
    assert not any("sesame" in finding.weakness + finding.remedy for finding in findings)


def test_a_password_of_few_characters_is_weak() -> None:
    assert "repeats" in weaknesses(JUPYTER_PASSWORD="abababababababababab")
    assert "repeats" not in weaknesses(JUPYTER_PASSWORD=GOOD)


def test_a_generated_password_may_still_stand_in_the_log() -> None:
    assert "log" in weaknesses()


def test_a_password_in_a_file_is_not_weak(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(GOOD)
    assert weaknesses(JUPYTER_PASSWORD_FILE=str(file)) == ""
    assert "docker inspect" in weaknesses(JUPYTER_PASSWORD=GOOD)


@pytest.mark.parametrize(("address", "is_weak"), [("0.0.0.0", True), ("127.0.0.1", False)])  # noqa: S104  # as in .env
def test_an_open_door_without_a_second_factor_is_weak(tmp_path: Path, address: str, is_weak: bool) -> None:
    settings = from_environ({"JUPYTER_PASSWORD": GOOD, "BIND_ADDRESS": address})
    found = " ".join(finding.weakness for finding in judge_door(settings, Places(tmp_path)))
    assert ("only lock" in found) is is_weak
    assert ("browsers trust" in found) is is_weak


def test_a_second_factor_that_nobody_enrolled_locks_everybody_out(tmp_path: Path) -> None:
    settings = from_environ({"JUPYTER_PASSWORD": GOOD, "TOTP": "on", "BIND_ADDRESS": "127.0.0.1"})
    assert ["TOTP is on" in finding.weakness for finding in judge_door(settings, Places(tmp_path))] == [True]
