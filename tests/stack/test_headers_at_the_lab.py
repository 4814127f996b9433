"""What reaches Jupyter of a request: none of the door's cookies, and of who asks what the door itself knows."""

from __future__ import annotations

import re
import ssl
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
import websocket

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.guesses import DOCKER_NETWORKS, visitor
from tests.other_labs import heads, in_place_of, in_their_place
from tests.sockets import connect
from tests.stacks import KERNELS, LAB, Stack, new_stack, running

# What a browser, its person or a proxy on the way may send along.
CLAIMS = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Host": "evil.example.net",
    "X-Forwarded-Proto": "http",
    "X-Forwarded-Port": "1",
    "X-Forwarded-User": "root",
    "X_Forwarded_For": "203.0.113.10",
    "Forwarded": "for=203.0.113.9",
    "X-Real-IP": "203.0.113.9",
    "X-Scheme": "http",
    "Remote-User": "root",
    "X-Workhorse-Login": "root",
    "Authorization": "token x",
    "Proxy-Authorization": "Basic eDp4",
    "Keep-Alive": "timeout=9",
    "TE": "trailers",
    "Trailer": "X-Last",
    "Connection": "keep-alive, X-Hop",
    "X-Hop": "1",
    "Upgrade": "h2c",
    "HTTP2-Settings": "AAMAAABkAARAAAAAAAIAAAAA",
    "X-Kept": "1",
}
CLAIM = re.compile("(x.)?(forwarded|real|remote)", re.IGNORECASE)
ALLOWED = {"X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host"}
COOKIE = "tracker=1; username-other=2; WORKHORSE-DEVICE=3"


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"JUPYTER_PASSWORD": PASSWORD, "TRUSTED_PROXIES": DOCKER_NETWORKS}
    with running(new_stack(tmp_path_factory.mktemp("proxied"), **settings)) as stack:
        stack.authority()
        yield stack


def cookie_line(client: Client) -> str:
    return "; ".join([*(f"{each.name}={each.value}" for each in client.session.cookies), COOKIE])


def lines_of(head: str) -> dict[str, list[str]]:
    """The headers of a request, each name as it was written."""
    found: dict[str, list[str]] = {}
    for line in head.splitlines()[1:]:
        name, _, value = line.partition(": ")
        found.setdefault(name, []).append(value)
    return found


def ask_in_every_way(stack: Stack, client: Client) -> None:
    """Pages, calls, an upload, a websocket, and a request as no library writes it."""
    cookies = cookie_line(client)
    headers = CLAIMS | {"Cookie": cookies, "X-XSRFToken": client.session.cookies["_xsrf"]}
    for method, path in (("GET", "/lab"), ("POST", "/api/kernels"), ("PUT", "/api/contents/x"), ("DELETE", "/api/x")):
        body = b"x" * 100_000 if method == "PUT" else None
        url, authority = f"{stack.url}{path}", str(client.authority)
        answer = requests.request(method, url, data=body, headers=headers, verify=authority, timeout=20)
        assert answer.status_code == 200
    websocket.create_connection(
        f"wss://localhost:{stack.port}/api/kernels/x/channels",
        sslopt={"ca_certs": str(client.authority), "cert_reqs": ssl.CERT_REQUIRED},
        header=[f"{name}: {value}" for name, value in CLAIMS.items() if name not in ("Connection", "Upgrade")],
        cookie=cookies,
        timeout=20,
    ).close()
    # Two headers of a name, in other cases.
    lines = ["GET /raw HTTP/1.1", f"Host: localhost:{stack.port}", f"cookie: {cookies}", "COOKIE: tracker=4"]
    lines += ["x-FORWARDED-for: 1.2.3.4", "X-FORWARDED-FOR: 1.2.3.5"]
    with connect(stack.port, ssl.create_default_context(cafile=str(client.authority))) as tls:
        tls.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")


def asked_heads(stack: Stack, client: Client) -> list[str]:
    """What is noted by programs that stand in the two servers' places."""
    with in_their_place(stack, "noting"):
        ask_in_every_way(stack, client)
    kernels, lab = ([head for head in heads(stack, each) if "X-Forwarded-Host" in head] for each in (KERNELS, LAB))
    assert [head.split()[1] for head in kernels] == ["/api/kernels", "/api/kernels/x/channels"]
    assert [head.split()[1] for head in lab] == ["/lab", "/api/contents/x", "/api/x", "/raw"]
    return [*kernels, *lab]


@pytest.fixture(scope="module")
def found(stack: Stack, authority: Path) -> list[str]:
    with visitor(stack, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        return asked_heads(stack, client)


def test_no_cookie_of_the_door_s_reaches_the_lab(found: list[str]) -> None:
    for head in found:
        assert not re.search("username|device|tracker", head, re.IGNORECASE), head
        (cookie,) = lines_of(head).get("Cookie", ["_xsrf=none"])
        assert re.fullmatch(r"_xsrf=[^;, ]+", cookie)


def test_who_asks_is_what_the_door_knows_and_nothing_is_added_to_it(stack: Stack, found: list[str]) -> None:
    for head in found:
        headers = lines_of(head)
        assert {name for name in headers if CLAIM.match(name)} == ALLOWED, head
        assert headers["X-Forwarded-Proto"] == ["https"]
        assert headers["X-Forwarded-Host"] == headers["Host"] == [f"localhost:{stack.port}"]
        (address,) = headers["X-Forwarded-For"]
        # Docker's own, which hides who came.
        assert re.fullmatch(r"[0-9.]+", address)
        assert not address.startswith("203.0.113.")
        assert not address.startswith("1.2.3.")


def test_no_credential_and_nothing_that_concerns_one_connection_reaches_the_lab(found: list[str]) -> None:
    dropped = {"authorization", "proxy-authorization", "keep-alive", "te", "trailer", "http2-settings"}
    dropped |= {"x-scheme", "x-workhorse-login"}
    for head in found:
        headers = lines_of(head)
        is_websocket = "/channels" in head.splitlines()[0]
        # Which the websocket's own Connection doesn't name.
        hop = set() if is_websocket else {"x-hop"}
        assert not (dropped | hop) & {name.lower().replace("_", "-") for name in headers}, head
        assert headers["Connection"] == ["Upgrade" if is_websocket else "close"]
        assert headers.get("Upgrade") == (["websocket"] if is_websocket else None)
        doubled = {name: count for name, count in Counter(map(str.lower, headers)).items() if count > 1}
        assert not doubled, head


def test_what_is_the_lab_s_reaches_it(found: list[str]) -> None:
    for head in found[:-1]:
        assert lines_of(head)["X-Kept"] == ["1"]
    by_path = {head.split()[1]: lines_of(head) for head in found}
    assert by_path["/api/contents/x"]["Content-Length"] == ["100000"]
    assert "Cookie" in by_path["/lab"]


def test_behind_a_trusted_proxy_the_lab_learns_the_one_address_that_it_vouches_for(proxied: Stack) -> None:
    with visitor(proxied, proxied.folder / "workhorse-ca.pem", "203.0.113.9") as client:
        assert client.login(PASSWORD).status_code == 302
        for head in asked_heads(proxied, client)[:-1]:
            assert lines_of(head)["X-Forwarded-For"] == ["203.0.113.9"]


def test_what_the_door_asks_by_itself_carries_no_cookie_either(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority) as client, in_place_of(stack, KERNELS, "noting"):
        assert client.login(PASSWORD).status_code == 302
        stack.workhorse("status")
        client.session.get(f"{stack.url}/lab/api/news", timeout=20)
        own = [head for head in heads(stack, KERNELS) if " /workhorse/" in head.splitlines()[0]]
    assert own
    for head in own:
        assert set(map(str.lower, lines_of(head))) <= {"host", "connection", "accept", "accept-encoding", "user-agent"}
