"""The log, which is kept to its last 30 MB: strangers can't push out of it what matters."""

from __future__ import annotations

import ssl
from collections import Counter
from http.client import HTTPSConnection
from pathlib import Path

import pytest

from tests.stack.test_strangers import UPGRADE
from tests.stacks import Stack

REQUESTS = 300
LONG = "x" * 60_000
# Of tornado's first form, whose wrong signature has a line of its own.
SIGNED = "eHh4|1700000000|0123456789abcdef0123456789abcdef01234567"
EVIL = "https://evil.example.net"
# What each of them asks: method, path and headers; LOGIN stands for the name of the cookie of a login.
KINDS: dict[str, tuple[str, str, dict[str, str]]] = {
    "a page that leads to the form": ("GET", f"/api/status?{LONG}", {}),
    "a page with a slash too many": ("GET", f"/{LONG}/", {}),
    "a login that has ended": ("GET", "/lab", {"Cookie": "LOGIN=x"}),
    "a login of somebody else's making": ("GET", "/lab", {"Cookie": f"LOGIN={SIGNED}"}),
    "another site's call": ("POST", "/api/kernels", {"Origin": EVIL}),
    "another site's image": ("GET", "/files/secret.png", {"Referer": f"{EVIL}/{LONG}"}),
    "another site's form": ("POST", "/login", {"Origin": EVIL}),
    "a websocket": ("GET", "/api/kernels/0/channels", UPGRADE),
    "another site's websocket": ("GET", "/api/events/subscribe", UPGRADE | {"Origin": EVIL}),
    "a terminal": ("GET", "/terminals/websocket/1", UPGRADE | {"Origin": EVIL}),
    "an extension's call": ("POST", "/lab/api/workspaces/x", {"Origin": EVIL}),
    "a page that isn't": ("GET", f"/none{LONG}", {}),
}


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_no_flood_of_strangers_requests_adds_a_line(
    stack: Stack, authority: Path, kind: tuple[str, str, dict[str, str]]
) -> None:
    method, path, headers = kind
    headers = {name: value.replace("LOGIN", f"username-localhost-{stack.port}") for name, value in headers.items()}
    before = Counter(stack.log().splitlines())
    context = ssl.create_default_context(cafile=str(authority))
    connection = HTTPSConnection("localhost", stack.port, timeout=20, context=context)
    for _ in range(REQUESTS):
        connection.request(method, path, headers=headers)
        response = connection.getresponse()
        response.read()
        assert response.status in (302, 400, 403, 404), response.status
    connection.close()
    assert Counter(stack.log().splitlines()) - before == Counter()
