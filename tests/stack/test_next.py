"""Where a login leads on to: to a page of this server, whatever the address said that brought the person."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import pytest

from tests.clients import SECONDS, Client
from tests.conftest import PASSWORD
from tests.stacks import Stack

# What can't be read as an address, or not be sent as one, or is none of this server.
UNUSABLE = [
    "/lab\r\nSet-Cookie: a=b", "/\nlab", "\r\n\r\n<script>", "\x7f/lab", "https://[::1]@example.com",
    "https://[v1.x]@evil.example.net", "http://[", "//[", "//[::1", "//[::1]]:80:80/", "//localhost:port",
    "//a\u2488com", "https://\u2100.example.net", "https://evil.example.net", "//evil.example.net",
    "///evil.example.net", "https:evil.example.net", "https:///evil.example.net", "\\\\evil.example.net",
    "/\\evil.example.net", "javascript:alert(1)", "data:text/html,x", "evil.example.net", "lab", ":", "://", "%00",
    "//", "//?", "//#", "\\", f"{'/' * 5000}lab",
]  # fmt: skip
USABLE = [
    "/lab", " /lab\n", "/lab\0", "/\0lab", "/\x01lab", "/lab/tree/Grüße aus Köln.ipynb", "/lab/tree/\U0001f434",
    "/lab?a=b&c=d#e", "/lab/tree/%0d%0aX: y", "/%2f%2fevil.example.net", "/lab//evil.example.net",
    "/lab?next=//evil.example.net", "", "?", "#",
]  # fmt: skip


def location(client: Client, next_page: str) -> str:
    form = client.session.get(f"{client.url}/login", timeout=SECONDS)
    data = {"password": PASSWORD, "next": next_page, "_xsrf": client.session.cookies["_xsrf"]}
    answer = client.session.post(f"{client.url}/login", data=data, allow_redirects=False, timeout=SECONDS)
    assert (form.status_code, answer.status_code) == (200, 302), answer.status_code
    return answer.headers["Location"]


def is_of(stack: Stack, target: str) -> bool:
    """Whether browsers find it on this server: they take a backslash for a slash, and leave out tabs and line ends."""
    read = target.replace("\\", "/").translate(dict.fromkeys(map(ord, "\t\r\n")))
    return urlsplit(urljoin(f"{stack.url}/login", read)).netloc == urlsplit(stack.url).netloc and read[:2] != "//"


@pytest.mark.parametrize("next_page", UNUSABLE + USABLE, ids=lambda page: ascii(page)[:40])
def test_a_login_leads_to_a_page_of_this_server(stack: Stack, authority: Path, next_page: str) -> None:
    with Client(stack.url, authority) as client:
        target = location(client, next_page)
    assert is_of(stack, target)
    if next_page in UNUSABLE:
        assert target == "/"


def test_a_page_of_this_server_is_the_one_that_opens(stack: Stack, authority: Path) -> None:
    with Client(stack.url, authority) as client:
        assert location(client, "/lab/tree/a.ipynb?b=c") == "/lab/tree/a.ipynb?b=c"


@pytest.mark.parametrize("next_page", UNUSABLE, ids=lambda page: ascii(page)[:40])
def test_who_is_logged_in_already_is_led_on_as_well(stack: Stack, client: Client, next_page: str) -> None:
    options: dict[str, Any] = {"params": {"next": next_page}, "allow_redirects": False, "timeout": SECONDS}
    answer = client.session.get(f"{client.url}/login", **options)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


def test_none_of_them_is_an_error(stack: Stack) -> None:
    assert "Traceback" not in stack.log()
