"""What a stranger gets: the login form, and of everything else nothing; the lab never hears of it.

Asked of every handler there is, at the door or behind it.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.handlers import asked, forget_asked, handlers, list_handlers_of
from tests.stacks import Stack, new_stack, running

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# What the door answers by itself; all else is refused with one word, there or not.
OWN_PATHS = re.compile(
    r"/(login|logout|health|static/(favicons/)?favicon[-a-z0-9]*\.ico|trust(/workhorse-ca\.(crt|mobileconfig))?|"
    r"lab/api/news|workhorse/.*|server(/sign-out)?)"
)
OWN_REFUSALS = (403, 404, 405)
PAGE = {"Accept": "text/html"}
# Their answers' statuses.
PUBLIC = {
    ("GET", "/login"): 200,
    ("POST", "/login"): 401,
    ("GET", "/health"): 200,
    ("GET", "/static/favicon.ico"): 200,
    ("HEAD", "/static/favicon.ico"): 200,
    ("GET", "/static/favicons/favicon-busy-1.ico"): 200,
    ("HEAD", "/static/favicons/favicon-busy-1.ico"): 200,
    ("GET", "/logout"): 200,
}
SHARED = {("GET", path): 200 for path in ("/trust", "/trust/workhorse-ca.crt", "/trust/workhorse-ca.mobileconfig")}
UPGRADE = {
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
}


@dataclass(frozen=True)
class Answer:
    """One answer and the question to it."""

    method: str
    path: str
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def leads_to_the_form(self) -> bool:
        """At once, and from there back to what was asked for."""
        asked = f"/login?next={quote(self.path, safe='')}"
        return self.status == 302 and self.headers.get("location") == asked

    def __repr__(self) -> str:
        return f"{self.method} {self.path} {self.status} {self.headers.get('location', '')} {self.body[:60]!r}"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = new_stack(tmp_path_factory.mktemp("strangers"), JUPYTER_PASSWORD=PASSWORD)
    list_handlers_of(stack)
    (stack.repositories / "secret.txt").write_text("for nobody else")
    with running(stack):
        yield stack


@pytest.fixture(scope="module")
def paths(stack: Stack, authority: Path) -> Iterator[list[str]]:
    """An address for each handler, and some that exist."""
    with Client(stack.url, authority) as owner:
        assert owner.login(PASSWORD).status_code == 302
        owner.api("GET", "kernels")
    registered = handlers(stack)
    assert {"TermSocket", "KernelWebsocketHandler", "LabHandler", "ContentsHandler"} <= {
        each.name.rsplit(".")[-1] for each in registered
    }
    assert not [each for each in registered if not each.paths()]
    # Of a server that took long to begin, what woke it may have been noted.
    forget_asked(stack)
    with Client(stack.url, authority) as owner:
        assert owner.login(PASSWORD).status_code == 302
        kernel = owner.api("POST", "kernels", name="python3")["id"]
        terminal = owner.api("POST", "terminals", cwd="/tmp")["name"]
        existing = {
            f"/api/kernels/{kernel}", f"/api/kernels/{kernel}/channels", f"/api/terminals/{terminal}",
            f"/terminals/websocket/{terminal}", "/files/secret.txt", "/api/contents/secret.txt", "/view/secret.txt",
            "/static/favicon.ico", "/static/style/style.min.css", "/static/logo/logo.png", "/lab/tree/secret.txt",
            "/kernelspecs/python3/logo-svg.svg", "/api/spec.yaml", "/no/such/thing", "/Login", "/login/", "/login/x",
            "/login", "/logout", "/health", "/trust", "/trust/workhorse-ca.crt", "/trust/workhorse-ca.mobileconfig",
            "/workhorse/report", "/workhorse/news", "/workhorse/backup", "/workhorse/restore",
            "/server", "/server/sign-out", "/static/favicons/favicon-busy-1.ico",
            "/health/", "/healthx", "/trust/", "/trust/../api/status", "/static/../api/status", "/%6cogin", "//login",
            "/static/favicon.ico/../style/style.min.css", "/login/../api/status", "/login%2f..%2fapi",
        }  # fmt: skip
        yield sorted(existing | {path or "/" for each in registered for path in each.paths() if path[:1] != "a"})


def ask(stack: Stack, authority: Path, paths: list[str], methods: tuple[str, ...], **headers: str) -> list[Answer]:
    """Every path by every method, over one connection, with the token against forgery that the form gives anybody."""
    context = ssl.create_default_context(cafile=str(authority))
    connection = HTTPSConnection("localhost", stack.port, timeout=20, context=context)

    def answer(method: str, path: str, headers: dict[str, str]) -> Answer:
        connection.request(method, path, b"{}" if method in ("POST", "PUT", "PATCH") else None, headers)
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        if response.status == 101:
            connection.close()
            return Answer(method, path, 101, found, b"")
        return Answer(method, path, response.status, found, response.read())

    cookie = answer("GET", "/login", {}).headers["set-cookie"].split(";")[0]
    forgery = {"Cookie": cookie, "X-XSRFToken": cookie.removeprefix("_xsrf=")}
    try:
        return [answer(method, path, {**forgery, **headers}) for path in paths for method in methods]
    finally:
        connection.close()


@pytest.fixture(scope="module")
def answers(stack: Stack, authority: Path, paths: list[str]) -> list[Answer]:
    return ask(stack, authority, paths, METHODS)


def gives_something(answer: Answer, public: dict[tuple[str, str], int]) -> bool:
    if answer.status == public.get((answer.method, answer.path)):
        return False
    if OWN_PATHS.fullmatch(answer.path):
        return answer.status not in OWN_REFUSALS
    # For one kernel JupyterLab takes a 403 for its death.
    refusal = 424 if re.fullmatch("/api/kernels/[^/]+", answer.path) else 403
    return answer.status != refusal


def test_no_handler_gives_a_stranger_anything_but_the_form(answers: list[Answer]) -> None:
    assert len(answers) > 400
    given = [each for each in answers if gives_something(each, PUBLIC)]
    assert not given, given
    reached = {(each.method, each.path): each.status for each in answers}
    assert {question: reached[question] for question in PUBLIC} == PUBLIC


def test_every_page_leads_to_the_form_and_back(stack: Stack, authority: Path, paths: list[str]) -> None:
    pages = [each for each in ask(stack, authority, paths, ("GET",), **PAGE) if not OWN_PATHS.fullmatch(each.path)]
    assert len(pages) > 60
    assert [each for each in pages if not each.leads_to_the_form] == []
    others = ask(stack, authority, paths, ("POST", "PUT", "DELETE"), **PAGE)
    assert [each for each in others if gives_something(each, PUBLIC)] == []


def test_no_refusal_says_what_is_there(answers: list[Answer]) -> None:
    assert not [each for each in answers if b"for nobody else" in each.body or b"jupyterlab" in each.body.lower()]


def test_who_was_logged_out_reads_why_and_no_kernel_is_called_dead(answers: list[Answer]) -> None:
    told = {
        (each.method, each.path): each for each in answers if b"You are logged out; your kernels run on" in each.body
    }
    kernels = [each for each in told.values() if each.method == "GET" and each.status == 424]
    assert kernels
    assert told["GET", "/api/contents/secret.txt"].status == 403


def test_a_stranger_s_way_out_empties_nothing(answers: list[Answer]) -> None:
    (out,) = [each for each in answers if (each.method, each.path) == ("GET", "/logout")]
    assert "clear-site-data" not in out.headers


def test_no_handler_opens_a_websocket_for_a_stranger(stack: Stack, authority: Path, paths: list[str]) -> None:
    upgrades = ask(stack, authority, paths, ("GET",), Origin=stack.url, **UPGRADE)
    assert [each for each in upgrades if gives_something(each, PUBLIC)] == []


PRETENCES = (
    {"Authorization": "token "},
    {"Authorization": "token None"},
    {"Origin": "https://evil.example.net"},
    {"X-Forwarded-For": "127.0.0.1", "X-Forwarded-Proto": "https"},
    {"X-Forwarded-User": "workhorse", "Remote-User": "workhorse", "X-Workhorse-Login": "workhorse"},
    {"Cookie": "username-localhost=x; workhorse-device=x"},
)


@pytest.mark.parametrize("headers", PRETENCES)
def test_no_header_opens_what_is_closed(
    stack: Stack, authority: Path, paths: list[str], headers: dict[str, str]
) -> None:
    assert [each for each in ask(stack, authority, paths, ("GET",), **headers) if gives_something(each, PUBLIC)] == []


def test_a_shared_authority_is_all_that_opens_besides(stack: Stack, authority: Path, paths: list[str]) -> None:
    stack.workhorse("share-ca")
    try:
        shared = ask(stack, authority, paths, METHODS)
        assert [each for each in shared if gives_something(each, PUBLIC | SHARED)] == []
        assert {each.path for each in shared if each.status == 200} >= {path for _, path in SHARED}
    finally:
        stack.door_shell("rm /run/workhorse/server/share-ca", check=False)


def test_nobody_behind_the_door_has_heard_of_any_of_it(stack: Stack, authority: Path, answers: list[Answer]) -> None:
    """Nor of what the tests before have asked."""
    assert answers
    assert asked(stack) == ["POST /api/kernels", "POST /api/terminals"], "what the owner asks for in the beginning"


def test_every_kind_of_answer_carries_the_headers_of_safety(
    stack: Stack, authority: Path, answers: list[Answer]
) -> None:
    with Client(stack.url, authority) as owner:
        assert owner.login(PASSWORD).status_code == 302
        own = [
            owner.session.get(stack.url + path, allow_redirects=False, timeout=20)
            for path in ("/", "/lab", "/api/status", "/files/secret.txt", "/api/contents/none", "/static/none", "/none")
        ]
        own.append(owner.session.post(f"{stack.url}/api/kernels", data="{", timeout=20))
    kinds = [*answers, *(Answer("own", each.url, each.status_code, lower(each.headers), b"") for each in own)]
    kinds += ask(stack, authority, ["/lab"], ("GET",), **PAGE)
    assert {200, 302, 401, 403, 404, 405} <= {each.status for each in kinds}
    for each in kinds:
        assert "server" not in each.headers, each
        assert each.headers["x-content-type-options"] == "nosniff", each
        assert each.headers["referrer-policy"] == "strict-origin-when-cross-origin", each
        assert each.headers["cross-origin-opener-policy"] == "same-origin-allow-popups", each
        assert each.headers["cross-origin-resource-policy"] == "same-origin", each
        policy = {part.split()[0]: part.split()[1:] for part in directives(each)}
        assert policy["frame-ancestors"] in (["'self'"], ["'none'"]), each
        for directive in ("base-uri", "form-action", "object-src", "default-src"):
            assert policy.get(directive, ["'none'"])[0] in ("'self'", "'none'"), each
        assert "base-uri" in policy, each


def directives(answer: Answer) -> list[str]:
    """Of all the policies that a header holds; each of them counts."""
    text = answer.headers["content-security-policy"].replace(",", ";")
    return [part.strip() for part in text.split(";") if part.strip()]


def lower(headers: object) -> dict[str, str]:
    return {name.lower(): value for name, value in dict(headers).items()}  # type: ignore[call-overload]
