"""The second factor: codes from a phone besides the password, where it is switched on."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest
from pyotp import TOTP

from tests.conftest import PASSWORD
from tests.guesses import DOCKER_NETWORKS, WRONG, visitor
from tests.stacks import Stack, new_stack, poll, running

STATE = "/var/lib/workhorse/second-factor.json"
STEP_SECONDS = 30
REFUSAL = "Password or code is not right. Each code works once."
COMMAND = "docker compose exec workhorse workhorse totp"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"JUPYTER_PASSWORD": PASSWORD, "TOTP": "on", "TRUSTED_PROXIES": DOCKER_NETWORKS}
    with running(new_stack(tmp_path_factory.mktemp("second-factor"), **settings)) as stack:
        yield stack


@dataclass(frozen=True)
class Phone:
    """What `workhorse totp` showed."""

    totp: TOTP
    recovery_codes: list[str]


@pytest.fixture
def phone(stack: Stack) -> Phone:
    """A fresh enrolment; it replaces the one before."""
    shown = stack.workhorse("totp")
    key = re.search(r"type this key into it: ([A-Z2-7]{32})", shown)
    assert key
    assert "▄" in shown or "█" in shown, "no QR code"
    codes = shown.split("shown this once:\n")[1].split("\n\n")[0].split()
    assert len(set(codes)) == 10
    return Phone(TOTP(key[1]), codes)


def login(stack: Stack, authority: Path, address: str, code: str | None, password: str = PASSWORD) -> tuple[int, str]:
    with visitor(stack, authority, address) as client:
        answer = client.login(password, code)
        assert client.is_logged_in() == (answer.status_code == 302)
        return answer.status_code, answer.text


def fresh_code(phone: Phone) -> str:
    """A code with seconds left, so that a slow test doesn't outlive it."""
    poll(lambda: time.time() % STEP_SECONDS < STEP_SECONDS - 5 or None, 10, "the next code")
    return phone.totp.now()


def test_without_a_phone_nobody_gets_in_and_the_log_says_which_command(stack: Stack, authority: Path) -> None:
    stack.door_shell(f"rm -f {STATE}")
    for code in (None, "", "000000"):
        assert login(stack, authority, "203.0.113.1", code)[0] == 401
    told = "TOTP is on, but no phone is enrolled, or the enrolment can't be read, so nobody can log in."
    # At the start, at each try, at the form, and when asked.
    stack.told(f"ATTENTION     {told}")
    poll(lambda: stack.log().count(told) >= 4 or None, wanted="a line for each try")
    status = stack.workhorse("status")
    assert f"ATTENTION     {told}" in status
    with visitor(stack, authority) as client:
        page = client.session.get(f"{stack.url}/login", timeout=30).text
    for text in (stack.told(COMMAND), status, page):
        assert COMMAND in text


def test_the_status_counts_the_recovery_codes_that_are_left(stack: Stack, authority: Path, phone: Phone) -> None:
    assert login(stack, authority, "203.0.113.8", phone.recovery_codes[0])[0] == 302
    assert "a code from your phone, or one of 9 recovery codes" in stack.workhorse("status")
    with visitor(stack, authority) as client:
        assert "no phone" not in client.session.get(f"{stack.url}/login", timeout=30).text


def test_password_and_code_open_and_neither_does_alone(stack: Stack, authority: Path, phone: Phone) -> None:
    code = fresh_code(phone)
    wrong_code = str((int(code) + 1) % 1_000_000).zfill(6)
    refusals = [
        login(stack, authority, "203.0.113.2", wrong_code),
        login(stack, authority, "203.0.113.2", None),
        login(stack, authority, "203.0.113.2", code, WRONG),
    ]
    assert {status for status, _ in refusals} == {401}
    # A stranger can't tell which of the two was wrong.
    assert len({re.sub(r'value="[^"]*"', "", text) for _, text in refusals}) == 1
    assert REFUSAL in refusals[0][1]
    # A wrong password has not spent the code.
    assert login(stack, authority, "203.0.113.2", f" {code[:3]} {code[3:]} ")[0] == 302


def test_a_right_password_with_a_wrong_code_is_told_to_the_owner_alone(
    stack: Stack, authority: Path, phone: Phone
) -> None:
    code = fresh_code(phone)
    wrong_code = str((int(code) + 1) % 1_000_000).zfill(6)
    assert login(stack, authority, "203.0.113.30", wrong_code)[0] == 401
    assert login(stack, authority, "203.0.113.31", code, WRONG)[0] == 401
    stack.told("The right password with a wrong or used code from 203.0.113.30 (")
    stack.told("A wrong password from 203.0.113.31 (")
    status = stack.workhorse("status")
    assert "  right password, wrong or used code, from 203.0.113.30 (" in status
    assert "  wrong password, from 203.0.113.31 (" in status


def test_the_form_asks_for_the_code(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as client:
        page = client.session.get(f"{stack.url}/login", timeout=30).text
    assert 'name="code"' in page
    assert 'autocomplete="one-time-code"' in page


def test_a_code_opens_once(stack: Stack, authority: Path, phone: Phone) -> None:
    code = fresh_code(phone)
    assert login(stack, authority, "203.0.113.3", code)[0] == 302
    assert login(stack, authority, "203.0.113.4", code)[0] == 401
    earlier = phone.totp.at(time.time() - STEP_SECONDS)
    assert login(stack, authority, "203.0.113.4", earlier)[0] == 401


def test_a_code_opens_once_for_many_at_the_same_time(stack: Stack, authority: Path, phone: Phone) -> None:
    code = fresh_code(phone)
    with ThreadPoolExecutor(8) as pool:
        attempts = pool.map(lambda number: login(stack, authority, f"203.0.113.{50 + number}", code)[0], range(8))
        assert sorted(attempts) == [302] + [401] * 7


def test_a_spent_code_stays_spent_after_a_restart(stack: Stack, authority: Path, phone: Phone) -> None:
    code = fresh_code(phone)
    assert login(stack, authority, "203.0.113.5", code)[0] == 302
    stack.compose("restart", "-t", "5", "workhorse")
    stack.up()
    assert login(stack, authority, "203.0.113.5", code)[0] == 401


def test_a_recovery_code_opens_once(stack: Stack, authority: Path, phone: Phone) -> None:
    code = phone.recovery_codes[4]
    assert login(stack, authority, "203.0.113.6", code, WRONG)[0] == 401
    assert login(stack, authority, "203.0.113.6", code)[0] == 302
    assert login(stack, authority, "203.0.113.6", code)[0] == 401
    assert login(stack, authority, "203.0.113.6", phone.recovery_codes[5].upper())[0] == 302


def test_the_form_takes_a_recovery_code_in_a_field_of_its_own(stack: Stack, authority: Path, phone: Phone) -> None:
    """Since a phone shows number keys for the other."""
    with visitor(stack, authority, "203.0.113.9") as client:
        client.session.get(f"{stack.url}/login", timeout=30)
        form = {"password": PASSWORD, "_xsrf": client.session.cookies["_xsrf"], "code": ""}
        form["recovery"] = phone.recovery_codes[6]
        client.session.post(f"{stack.url}/login", data=form, timeout=30)
        assert client.is_logged_in()


def test_a_new_enrolment_ends_the_one_before(stack: Stack, authority: Path, phone: Phone) -> None:
    code = fresh_code(phone)
    stack.workhorse("totp")
    assert login(stack, authority, "203.0.113.7", code)[0] == 401
    assert login(stack, authority, "203.0.113.7", phone.recovery_codes[0])[0] == 401


DAMAGE = (
    ": >F",
    "head -c 40 F >/tmp/f; cat /tmp/f >F",
    "echo '{}' >F",
    "chmod 0 F",
    "rm F; mkdir F",
    "printf '[%.0s' {1..100000} >F",
    "head -c 500 /dev/urandom >F",
)


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_second_factor_lets_nobody_in(stack: Stack, authority: Path, phone: Phone, damage: str) -> None:
    stack.door_shell(damage.replace("F", STATE), user="1000")
    for code in (fresh_code(phone), phone.recovery_codes[0], ""):
        assert login(stack, authority, f"198.51.100.{DAMAGE.index(damage)}", code)[0] == 401
    stack.workhorse("totp")
    assert stack.door_shell(f"stat -c '%a %F' {STATE}") == "600 regular file\n"


def test_no_secret_is_in_the_log_or_the_status(stack: Stack, phone: Phone) -> None:
    told = stack.log() + stack.workhorse("status")
    assert phone.totp.secret not in told
    assert not [code for code in phone.recovery_codes if code in told]
