"""The server's own page: who sees it, and who can sign a device out by it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from entrypoint.door.own_page import NOT_TOLD, PATH, SIGN_OUT_PATH
from entrypoint.login.open_logins import read_open_logins
from tests.clients import SECONDS, Client
from tests.doors import PASSWORD, StandingDoor, standing_door

PHONE = "Mozilla/5.0 (Linux; Android 16) AppleWebKit/537.36 Chrome/140.0 Mobile <script>Safari/537.36"
PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingDoor]:
    with standing_door(tmp_path_factory.mktemp("own-page")) as door:
        yield door


@contextmanager
def logged_in(door: StandingDoor, agent: str = "curl/8.5.0") -> Iterator[Client]:
    with door.client() as client:
        client.session.headers["User-Agent"] = agent
        assert client.login(PASSWORD).status_code == 302
        yield client


def page(client: Client) -> str:
    answer = client.session.get(client.url + PATH, headers=PAGE, timeout=SECONDS)
    assert answer.status_code == 200
    return answer.text


def sign_out(client: Client, login: str, token: str) -> requests.Response:
    form = {"login": login, "_xsrf": token}
    return client.session.post(client.url + SIGN_OUT_PATH, data=form, allow_redirects=False, timeout=SECONDS)


def is_in(client: Client) -> bool:
    return client.session.get(client.url + PATH, allow_redirects=False, timeout=SECONDS).status_code == 200


def listed(text: str) -> dict[str, str]:
    """The devices that can be signed out: their names, and what their logins are called."""
    forms = re.findall(r'name="login" value="(\w+)">\s*<button class="small" aria-label="Sign out ([^,]+)', text)
    return {name: login for login, name in forms}


def test_a_device_is_listed_signed_out_by_another_and_stays_so(door: StandingDoor) -> None:
    with logged_in(door, PHONE) as phone, logged_in(door) as own:
        text = page(own)
        login = listed(text)["Chrome on Android"]
        assert "<script>" not in text
        answer = sign_out(own, login, own.session.cookies["_xsrf"])
        assert (answer.status_code, answer.headers["Location"]) == (303, PATH)
        assert not is_in(phone)
        assert is_in(own)
        assert "Chrome on Android" not in listed(page(own))
        kept = read_open_logins(door.places.open_logins, door.server.door.signing)
        assert login in kept.ended
        # Nor does a list that is read back let it in again.
        door.server.door.open_logins = kept
        assert not is_in(phone)
        assert is_in(own)


def test_who_logs_out_is_out_whatever_becomes_of_the_cookie(door: StandingDoor) -> None:
    with logged_in(door) as client:
        cookies = client.session.cookies.copy()
        client.session.get(f"{client.url}/logout", timeout=SECONDS)
        client.session.cookies = cookies
        assert not is_in(client)


@pytest.mark.parametrize("token", ["", "2|00000000|00000000000000000000000000000000|1700000000"])
def test_without_the_page_s_own_token_nobody_is_signed_out(door: StandingDoor, token: str) -> None:
    with logged_in(door, PHONE) as phone, logged_in(door) as own:
        login = listed(page(own))["Chrome on Android"]
        assert sign_out(own, login, token).status_code == 403
        assert is_in(phone)


def test_a_stranger_is_led_to_the_form_and_signs_nobody_out(door: StandingDoor) -> None:
    with door.client() as stranger, logged_in(door, PHONE) as phone:
        answer = stranger.session.get(stranger.url + PATH, headers=PAGE, allow_redirects=False, timeout=SECONDS)
        assert answer.headers["Location"] == "/login?next=%2Fserver"
        login = next(iter(door.server.door.open_logins.logins))
        stranger.session.get(f"{stranger.url}/login", timeout=SECONDS)
        assert sign_out(stranger, login, stranger.session.cookies["_xsrf"]).status_code == 403
        assert is_in(phone)


def test_a_login_that_is_not_on_the_list_is_nobody_s_to_end(door: StandingDoor) -> None:
    with logged_in(door) as own:
        ended = len(door.server.door.open_logins.ended)
        assert sign_out(own, "made-up", own.session.cookies["_xsrf"]).status_code == 303
        assert len(door.server.door.open_logins.ended) == ended


def test_what_cannot_be_found_out_is_told_and_the_devices_are_shown(door: StandingDoor, tmp_path: Path) -> None:
    # Here is no `workhorse` to ask.
    with logged_in(door) as own:
        text = page(own)
    assert NOT_TOLD in text
    assert "curl, from 127.0.0.1" in text
