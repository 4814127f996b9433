"""The whole door over real TLS, with a lab behind it: who comes in, how far, and how it ends."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests
from tornado.httpserver import HTTPServer
from tornado.netutil import bind_unix_socket
from tornado.web import Application, RequestHandler, create_signed_value
from websocket import WebSocket, create_connection

from entrypoint.certificates.sharing import open_sharing
from entrypoint.door.state import replace_cookie_secret, replace_password_hash
from entrypoint.login.login_cookie import cookie_name
from entrypoint.login.password import hash_password
from entrypoint.proxy.open_connections import GOING_AWAY, SERVICE_RESTART
from entrypoint.strangers.bounds import BODY_BYTES_MAX
from tests.clients import SECONDS, Client
from tests.doors import PASSWORD, StandingDoor, standing_door
from tests.sockets import Form, exchange, status_of
from tests.stacks import poll
from tests.unit.proxy.test_websockets import Channel, until_closed

NEWS: list[Any] = ["Kernels that are left out: 1.", 5, None, {"a": "b"}, "\x1b[2Jred", "x" * 5000, *["more"] * 50]
PAGE = {"Sec-Fetch-Mode": "navigate", "Accept": "text/html"}


class Echo(RequestHandler):
    """Answers with what reaches the lab."""

    def get(self) -> None:
        self.finish({"path": self.request.uri, "headers": dict(self.request.headers.get_all())})

    def post(self) -> None:
        self.finish({"length": len(self.request.body)})


class News(RequestHandler):
    def get(self) -> None:
        self.finish(json.dumps(NEWS))


class Hanging(RequestHandler):
    """Begins to answer, and never ends."""

    async def get(self) -> None:
        self.write("begun")
        await self.flush()
        await asyncio.Event().wait()


async def close_lab(lab: HTTPServer) -> None:
    lab.stop()


@contextmanager
def door_and_lab(root: Path, **environ: str) -> Iterator[StandingDoor]:
    rules = [("/ws", Channel), ("/workhorse/news", News), ("/hanging", Hanging), (".*", Echo)]

    async def open_lab(door: StandingDoor) -> HTTPServer:
        server = HTTPServer(Application(rules, log_function=lambda _: None))
        for path in (door.places.socket, door.places.kernels_socket):
            server.add_socket(bind_unix_socket(str(path)))
        return server

    with standing_door(root, None, **environ) as door:
        lab = door.run(open_lab(door))
        try:
            yield door
        finally:
            door.run(close_lab(lab))


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingDoor]:
    """One that the tests leave as it was."""
    with door_and_lab(tmp_path_factory.mktemp("door")) as door:
        yield door


@pytest.fixture
def own_door(tmp_path: Path) -> Iterator[StandingDoor]:
    with door_and_lab(tmp_path) as door:
        yield door


@pytest.fixture
def member(door: StandingDoor) -> Iterator[Client]:
    with logged_in(door) as member:
        yield member


@contextmanager
def logged_in(door: StandingDoor) -> Iterator[Client]:
    with door.client() as client:
        assert client.login(PASSWORD).status_code == 302
        yield client


def get(client: Client, path: str, **headers: str) -> requests.Response:
    return client.session.get(client.url + path, headers=headers, allow_redirects=False, timeout=SECONDS)


def cookies(client: Client) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.session.cookies)


def open_websocket(client: Client) -> WebSocket:
    url, tls = client.url.replace("https", "wss"), {"ca_certs": str(client.authority)}
    return create_connection(f"{url}/ws", sslopt=tls, cookie=cookies(client), timeout=20)


def tls_of(door: StandingDoor) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(door.places.tls.authority))


def test_the_password_opens_and_another_does_not(door: StandingDoor) -> None:
    with door.client() as client:
        refused = client.login("wrong horse battery")
        assert (refused.status_code, "This is not the password." in refused.text) == (401, True)
        assert get(client, "/lab").status_code == 403
        assert client.login(PASSWORD).headers["Location"] == "/"
        assert get(client, "/lab").json()["path"] == "/lab"
        assert get(client, "/login?next=/lab").headers["Location"] == "/lab"


def test_the_lab_gets_no_cookie_but_the_token_and_learns_where_the_request_comes_from(member: Client) -> None:
    headers = get(member, "/lab").json()["headers"]
    assert headers["Cookie"] == f"_xsrf={member.session.cookies['_xsrf']}"
    assert headers["X-Forwarded-For"] == "127.0.0.1"
    assert headers["X-Forwarded-Proto"] == "https"


def cookie_of_jupyter(door: StandingDoor, days_ago: float = 0) -> tuple[str, str]:
    """A login as jupyter-server made it: its name and its value."""
    name = cookie_name(f"localhost:{door.port}")
    mixed = hmac.new(door.places.cookie_secret.read_bytes(), digestmod=hashlib.sha256)
    mixed.update(b"")
    mixed.update(door.places.password_hash.read_text().strip().encode())
    user = {"username": "0f" * 16, "name": "Anonymous Io", "display_name": "Anonymous Io", "initials": "AI"}
    value = json.dumps({**user, "color": None, "avatar_url": None})
    then = time.time() - days_ago * 86_400
    return name, create_signed_value(mixed.digest(), name, value, clock=lambda: then).decode()


@pytest.mark.parametrize(("days_ago", "status"), [(0, 200), (29.9, 200), (30.1, 403)])
def test_a_login_of_before_the_wall_stays_one_up_to_its_days_end(
    door: StandingDoor, days_ago: float, status: int
) -> None:
    with door.client() as client:
        client.session.cookies.set(*cookie_of_jupyter(door, days_ago))
        assert get(client, "/lab").status_code == status


@pytest.mark.parametrize("user", ["", "[]", "5", '{"name": "x"}', '{"username": 5}', '{"username": ""}', "\xff{"])
def test_a_signed_cookie_without_a_name_is_no_login(door: StandingDoor, user: str) -> None:
    name = cookie_name(f"localhost:{door.port}")
    with door.client() as client:
        client.session.cookies.set(name, create_signed_value(door.server.door.signing, name, user).decode())
        assert get(client, "/lab").status_code == 403


def test_a_page_leads_to_the_form_and_back(door: StandingDoor) -> None:
    with door.client() as client:
        answer = get(client, "/lab/tree/a b.ipynb?c=d", **PAGE)
        assert answer.status_code == 302
        form = client.session.get(client.url + answer.headers["Location"], timeout=SECONDS)
        assert 'action="/login?next=%2Flab%2Ftree%2Fa%2520b.ipynb%3Fc%3Dd"' in form.text


NOT_HERE = ["/workhorse", "/workhorse/report", "//workhorse/news", "/%77orkhorse/backup", "/lab/../workhorse/report",
            "/./workhorse/x", "/WORKHORSE/report", "/%2577orkhorse/report", "/workhorse%2Freport"]  # fmt: skip


@pytest.mark.parametrize("path", NOT_HERE)
def test_what_door_and_lab_say_to_each_other_is_no_address_of_a_browser_s(
    door: StandingDoor, member: Client, path: str
) -> None:
    for method in ("GET", "POST", "HEAD"):
        lines = [f"{method} {path} HTTP/1.1", f"Host: localhost:{door.port}", f"Cookie: {cookies(member)}"]
        request = "\r\n".join([*lines, "Content-Length: 0", "", ""]).encode()
        assert status_of(exchange(door.port, tls_of(door), request, 10)) == 404


def test_the_news_are_the_login_before_and_what_can_be_shown_of_the_lab_s(door: StandingDoor, member: Client) -> None:
    with logged_in(door) as again:
        texts = again.news()
    assert texts[0].startswith("Last login before this one: ")
    assert texts[1:3] == ["Kernels that are left out: 1.", "\\x1b[2Jred"]
    assert len(texts) == 21
    assert max(map(len, texts)) < 1100


def test_a_lab_that_is_away_has_no_news_and_holds_up_no_login(tmp_path: Path) -> None:
    with standing_door(tmp_path) as door:
        began = time.monotonic()
        with logged_in(door) as client:
            assert client.news() == []
        assert time.monotonic() - began < 5


def test_strangers_get_the_form_its_icon_and_the_health_and_nothing_else(door: StandingDoor) -> None:
    with door.client() as client:
        statuses = {path: get(client, path).status_code for path in
                    ("/health", "/login", "/logout", "/static/favicon.ico", "/lab/api/news", "/static/style.css", "/",
                     "/api/kernels/1", "/trust", "/trust/workhorse-ca.crt")}  # fmt: skip
        assert statuses == {
            "/health": 200, "/login": 200, "/logout": 200, "/static/favicon.ico": 200, "/lab/api/news": 403,
            "/static/style.css": 403, "/": 403, "/api/kernels/1": 424, "/trust": 404, "/trust/workhorse-ca.crt": 404,
        }  # fmt: skip
        assert get(client, "/health").text == "ok\n"
        assert client.session.head(f"{client.url}/static/favicon.ico", timeout=SECONDS).headers["Content-Length"] != "0"


def test_a_page_s_icons_are_the_door_s_and_another_while_a_kernel_is_busy(door: StandingDoor) -> None:
    folder = "/static/favicons/favicon"
    with door.client() as client:
        idle = get(client, "/static/favicon.ico").content
        assert {get(client, f"{folder}{kind}.ico").content for kind in ("", "-file", "-notebook", "-terminal")} == {
            idle
        }
        (busy,) = {get(client, f"{folder}-busy-{number}.ico").content for number in (1, 2, 3)}
    assert busy[:4] == idle[:4] == b"\0\0\1\0"
    assert busy != idle


def test_the_authority_is_given_while_it_is_shared(own_door: StandingDoor) -> None:
    open_sharing(own_door.places.sharing)
    with own_door.client() as client:
        page = get(client, "/trust")
        assert (page.status_code, "Trust this Workhorse" in page.text) == (200, True)
        certificate = get(client, "/trust/workhorse-ca.crt")
        assert certificate.headers["Content-Type"] == "application/x-x509-ca-cert"
        assert certificate.text in own_door.places.tls.authority.read_text()
        assert "PRIVATE" not in certificate.text
        profile = get(client, "/trust/workhorse-ca.mobileconfig")
        assert profile.headers["Content-Type"] == "application/x-apple-aspen-config"


def test_a_stranger_s_long_body_is_refused_at_its_head_and_a_member_s_reaches_the_lab(
    door: StandingDoor, member: Client
) -> None:
    form = Form.fetch(door.port, tls_of(door))
    head = form.post(b"password=x").replace(b"Content-Length: ", b"Content-Length: 99999")
    assert status_of(exchange(door.port, tls_of(door), head, 10)) in (None, 400)
    long = b"x" * (20 * BODY_BYTES_MAX)
    assert member.session.post(f"{member.url}/api/x", data=long, timeout=SECONDS).json() == {"length": len(long)}
    # What the door reads itself is as short for everybody.
    lines = ["POST /login HTTP/1.1", f"Host: localhost:{door.port}", f"Cookie: {cookies(member)}"]
    request = "\r\n".join([*lines, f"Content-Length: {len(long)}", "", ""]).encode()
    assert status_of(exchange(door.port, tls_of(door), request, 10)) in (None, 400)


@pytest.mark.parametrize("address", ["/login", "/login?next=%ff%fe"])
def test_a_form_without_its_token_is_shown_again(door: StandingDoor, address: str) -> None:
    with door.client() as client:
        answer = client.session.post(f"{client.url}{address}", data={"password": PASSWORD}, timeout=SECONDS)
        assert answer.status_code == 403
        assert "Try again." in answer.text
        assert not [each for each in client.session.cookies if each.name.startswith("username")]


def test_the_token_of_the_form_is_one_that_scripts_can_read(door: StandingDoor) -> None:
    with door.client() as client:
        cookie = get(client, "/login").headers["Set-Cookie"]
    assert cookie.startswith("_xsrf=2|")
    assert "HttpOnly" not in cookie
    assert {"Secure", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))


UNUSABLE = ["//evil.example.net", "/\\evil.example.net", "\\\\evil.example.net", "https://evil.example.net", "lab",
            "https:evil.example.net", "///evil.example.net", "/\n/evil.example.net", "/\t/evil.example.net", "/a\x7f",
            "javascript:alert(1)", "", ":", "//[::1"]  # fmt: skip


@pytest.mark.parametrize("page", UNUSABLE)
def test_a_login_leads_to_no_page_of_another_server(member: Client, page: str) -> None:
    answer = member.session.get(f"{member.url}/login", params={"next": page}, allow_redirects=False, timeout=SECONDS)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")


@pytest.mark.parametrize("page", ["/lab/tree/a:b.ipynb?c=//d#e", "/lab/tree/Gr\xfc\xdfe aus K\xf6ln.ipynb"])
def test_a_login_leads_to_the_page_that_was_asked_for(member: Client, page: str) -> None:
    answer = member.session.get(f"{member.url}/login", params={"next": page}, allow_redirects=False, timeout=SECONDS)
    assert answer.headers["Location"].encode("latin-1").decode() == page


def test_who_guesses_waits_and_is_told_for_how_long(own_door: StandingDoor) -> None:
    with own_door.client() as client:
        answers = [client.login("wrong") for _ in range(7)]
        assert [each.status_code for each in answers[:5]] == [401] * 5
        refused = next(each for each in answers if each.status_code == 429)
        assert f"Try again in {refused.headers['Retry-After']} second" in refused.text


def test_the_way_out_ends_this_login_s_websockets_and_requests_alone(door: StandingDoor, member: Client) -> None:
    with logged_in(door) as other, other.session.get(f"{other.url}/hanging", stream=True, timeout=SECONDS) as hanging:
        gone, kept = open_websocket(other), open_websocket(member)
        out = get(other, "/logout")
        assert out.headers["Clear-Site-Data"] == '"cache", "storage"'
        assert until_closed(gone) == ([], GOING_AWAY)
        with pytest.raises((requests.ConnectionError, requests.exceptions.ChunkedEncodingError)):
            hanging.content  # noqa: B018
        kept.send("still here")
        assert kept.recv() == "still here"
        kept.close()
        assert get(other, "/lab").status_code == 403


def test_another_site_s_link_logs_nobody_out(door: StandingDoor, member: Client) -> None:
    assert "Another site has led you here." in get(member, "/logout", **{"Sec-Fetch-Site": "cross-site"}).text
    assert get(member, "/lab").status_code == 200


CHANGES = {
    "a sign-out": lambda places: replace_cookie_secret(places),
    "another password": lambda places: replace_password_hash(places, hash_password("another horse battery")),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_what_is_changed_in_the_state_ends_every_login_and_websocket(own_door: StandingDoor, change: Any) -> None:
    with logged_in(own_door) as client:
        websocket = open_websocket(client)
        change(own_door.places)
        began = time.monotonic()
        assert until_closed(websocket) == ([], GOING_AWAY)
        assert time.monotonic() - began < 5
        assert poll(lambda: is_out(client), 5, "the sign-out")


def is_out(client: Client) -> bool | None:
    try:
        return get(client, "/lab").status_code == 403 or None
    except requests.ConnectionError:
        return None


def test_a_damaged_state_changes_nothing(own_door: StandingDoor, caplog: pytest.LogCaptureFixture) -> None:
    with logged_in(own_door) as client:
        own_door.places.password_hash.write_text("damaged")
        poll(lambda: "docker compose restart workhorse" in caplog.text or None, 5, "a line about it")
        assert get(client, "/lab").status_code == 200


def test_a_login_s_end_ends_its_websocket(own_door: StandingDoor) -> None:
    with own_door.client() as client:
        # Two seconds before the end of the 30 days.
        client.session.cookies.set(*cookie_of_jupyter(own_door, 30 - 2 / 86_400))
        assert until_closed(open_websocket(client)) == ([], GOING_AWAY)


def test_a_door_that_stops_ends_websockets_properly_and_soon(tmp_path: Path) -> None:
    with door_and_lab(tmp_path) as door, logged_in(door) as client:
        websocket = open_websocket(client)
        with ThreadPoolExecutor(1) as browser:
            closed = browser.submit(until_closed, websocket)
            # Sooner than it may: once there is nobody left.
            door.run(door.server.stop(600), seconds=60)
            assert closed.result() == ([], SERVICE_RESTART)
        with pytest.raises(requests.ConnectionError):
            get(client, "/health")


def test_no_answer_tells_how_the_door_failed(own_door: StandingDoor, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object) -> None:
        raise RuntimeError("secret")

    with own_door.client() as client:
        get(client, "/login")
        monkeypatch.setattr(own_door.server.door, "budget", fail)
        answer = client.login(PASSWORD)
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


def test_of_what_is_asked_nothing_is_logged(door: StandingDoor, caplog: pytest.LogCaptureFixture) -> None:
    with door.client() as stranger:
        for path in ("/lab", "/no/such/thing", "/workhorse/report", "/trust", "/api/kernels/1"):
            get(stranger, path, Cookie=f"{cookie_name(f'localhost:{door.port}')}=2|1:0|10:1|1:x|4:eHh4|00")
    assert [record.message for record in caplog.records if record.name != "asyncio"] == []


@pytest.mark.parametrize("host", ["cluster.example.net", "lab.example.org"])
def test_a_name_that_no_certificate_holds_is_told_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, host: str
) -> None:
    with (
        door_and_lab(tmp_path, SERVER_NAMES="lab.example.org") as door,
        door.client() as stranger,
        door.client() as client,
    ):
        get(stranger, "/login", Host="evil.example.net")
        client.session.headers["Host"] = f"{host}:{door.port}"
        assert client.login(PASSWORD).status_code == 302
        assert [get(client, "/lab").status_code for _ in range(2)] == [200, 200]
    line = "SERVER_NAMES=lab.example.org,cluster.example.net"
    assert caplog.text.count(line) == (host == "cluster.example.net")
    assert "evil" not in caplog.text
