"""The cookie of a login: whose it is, and for how long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine
from tornado.web import create_signed_value

from entrypoint.login.login_cookie import cookie_name, login_of, signing_secret
from entrypoint.login.next_page import own_page

SECRET = signing_secret(b"a" * 64, "argon2:x")
HOST = "lab.example.org:8888"
NAME = "username-lab-example-org-8888"


def asked(cookie: str, host: str = HOST) -> HTTPServerRequest:
    headers = HTTPHeaders({"Host": host, "Cookie": cookie})
    connection = cast(Any, SimpleNamespace(set_close_callback=lambda _: None))
    start = RequestStartLine("GET", "/", "HTTP/1.1")
    return HTTPServerRequest(start_line=start, headers=headers, connection=connection)


def signed(login: str = '{"username": "ada"}', secret: bytes = SECRET, name: str = NAME) -> str:
    return f"{NAME}={create_signed_value(secret, name, login).decode()}"


def test_a_signed_cookie_names_its_login() -> None:
    assert cookie_name(HOST) == NAME
    assert login_of(asked(signed()), SECRET, 30) == "ada"


OTHERS = {
    "another secret": signed(secret=signing_secret(b"b" * 64, "argon2:x")),
    "another password": signed(secret=signing_secret(b"a" * 64, "argon2:y")),
    "another cookie's signature": signed(name="workhorse-device"),
    "tornado's first form": f"{NAME}=eHh4|1700000000|0123456789abcdef0123456789abcdef01234567",
    "no name": signed("{}"),
    "a name that is none": signed('{"username": ["ada"]}'),
    "a name of any signs": signed('{"username": "a\\nb"}'),
    "none": "a=b",
}


@pytest.mark.parametrize("cookie", OTHERS.values(), ids=OTHERS.keys())
def test_another_s_cookie_is_no_login(cookie: str) -> None:
    assert login_of(asked(cookie), SECRET, 30) is None


def test_a_login_at_one_port_is_none_at_another() -> None:
    assert login_of(asked(signed(), "lab.example.org:9999"), SECRET, 30) is None


@given(st.text() | st.text("/\\:.a\t\n@#?"))
def test_no_address_leads_to_another_server(page: str) -> None:
    led = own_page(page)
    assert led.startswith("/")
    assert not led.startswith(("//", "/\\"))
    assert "\\" not in led
    assert led.isprintable() or not any(ord(character) < 32 or ord(character) == 127 for character in led)
