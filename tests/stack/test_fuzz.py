"""The surface that strangers reach, under requests that no browser makes: no 500, no hang, no growth."""

from __future__ import annotations

import os
import random
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.guesses import DOCKER_NETWORKS, WRONG, is_signed_out, visitor
from tests.oddities import KINDS
from tests.sockets import Form, connect, exchange, status_of
from tests.stacks import Stack, new_stack, poll, running

WARMING, REQUESTS = 100, 500
# Generous, for machines that do much else.
DEADLINE_SECONDS = 180.0
ANSWER_SECONDS = 5.0
GROWTH_BYTES_MAX = 8_000_000
MEGABYTE = 1_000_000


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    settings = {"JUPYTER_PASSWORD": PASSWORD, "TRUSTED_PROXIES": DOCKER_NETWORKS, "TOTP": "off"}
    with running(new_stack(tmp_path_factory.mktemp("fuzz"), **settings)) as stack:
        yield stack


@pytest.fixture(scope="module")
def tls(authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority))


@pytest.fixture(scope="module")
def form(stack: Stack, tls: ssl.SSLContext) -> Form:
    return Form.fetch(stack.port, tls)


LONG = {
    "a password of 10 MB": (b"POST /login HTTP/1.1", 400),
    "an upload": (b"PUT /api/contents/x HTTP/1.1", 403),
    "a page that isn't": (b"POST /nothing HTTP/1.1", 403),
}


@pytest.mark.parametrize(("line", "status"), LONG.values(), ids=LONG.keys())
def test_a_stranger_s_long_body_is_refused_at_its_header(
    stack: Stack, tls: ssl.SSLContext, form: Form, line: bytes, status: int
) -> None:
    head = b"\r\n".join([line, form.host, f"Cookie: _xsrf={form.token}\r\nX-XSRFToken: {form.token}".encode()])
    # Not a byte of the body is sent; a server that wanted it would wait.
    answer = exchange(stack.port, tls, head + b"\r\nContent-Length: %d\r\n\r\n" % (10 * MEGABYTE), ANSWER_SECONDS)
    assert status_of(answer) == status


def test_a_stranger_s_body_in_chunks_ends_at_the_same_length(stack: Stack, tls: ssl.SSLContext, form: Form) -> None:
    head = b"\r\n".join([b"POST /login HTTP/1.1", form.host, b"Transfer-Encoding: chunked"]) + b"\r\n\r\n"
    chunk = b"8000\r\n" + b"x" * 0x8000 + b"\r\n"
    answer = exchange(stack.port, tls, head + chunk * 10, ANSWER_SECONDS)
    # It closes with chunks still unread, which may overtake its answer.
    assert answer == b"" or status_of(answer) == 400


def test_who_is_logged_in_uploads_as_much_as_ever(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority, "203.0.113.80") as client:
        assert client.login(PASSWORD).status_code == 302
        client.api("PUT", "contents/big.txt", type="file", format="text", content="x" * 10 * MEGABYTE)
    assert (stack.repositories / "big.txt").stat().st_size == 10 * MEGABYTE


def test_a_login_that_has_ended_is_a_stranger_s(stack: Stack, authority: Path, tls: ssl.SSLContext, form: Form) -> None:
    with visitor(stack, authority, "203.0.113.81") as client:
        assert client.login(PASSWORD).status_code == 302
        cookies = "; ".join(f"{each.name}={each.value}" for each in client.session.cookies)
        head = b"\r\n".join([b"PUT /api/contents/x HTTP/1.1", form.host, f"Cookie: {cookies}".encode()])
        request = head + b"\r\nContent-Length: 10000000\r\n\r\n"
        assert exchange(stack.port, tls, request, 1) is None, "the body of a member is awaited"
        stack.workhorse("sign-out")
        poll(lambda: is_signed_out(client), wanted="the sign-out")
        assert status_of(exchange(stack.port, tls, request, ANSWER_SECONDS)) == 403


def test_the_longest_password_that_may_be_set_fits(stack: Stack, authority: Path) -> None:
    with visitor(stack, authority, "203.0.113.82") as client:
        assert client.login("🐴" * 1024).status_code == 401


@contextmanager
def idle_connections(stack: Stack, tls: ssl.SSLContext, form: Form, count: int) -> Iterator[None]:
    """Connections that never end their request."""
    connections = []
    try:
        for _ in range(count):
            connections.append(connect(stack.port, tls))
            connections[-1].sendall(form.get("/login")[:-2] + b"X: ")
        yield
    finally:
        for connection in connections:
            connection.close()


def test_idle_strangers_keep_nobody_out(stack: Stack, authority: Path, tls: ssl.SSLContext, form: Form) -> None:
    with idle_connections(stack, tls, form, 300), Client(stack.url, authority) as client:
        client.session.headers["X-Forwarded-For"] = "203.0.113.83"
        began = time.monotonic()
        assert client.login(WRONG).status_code == 401
        assert client.login(PASSWORD).status_code == 302
        assert client.run("print(1)") == "1\n"
        assert time.monotonic() - began < DEADLINE_SECONDS


# The last of this file, since it leaves no guess to anybody.
def test_a_fuzzer_meets_no_error_no_hang_and_no_growth(stack: Stack, tls: ssl.SSLContext, form: Form) -> None:
    seed = int(os.environ.get("FUZZ_SEED", "1"))
    print(f"FUZZ_SEED={seed}")
    chance = random.Random(seed)  # noqa: S311  # nothing secret
    fuzz(stack, tls, form, chance, WARMING)
    before = server_memory(stack)
    fuzz(stack, tls, form, chance, REQUESTS)
    grown = server_memory(stack) - before
    print(f"{grown} bytes grown")
    assert grown < GROWTH_BYTES_MAX
    log = stack.log()
    assert "Traceback" not in log
    assert len(log.splitlines()) < (WARMING + REQUESTS) / 2
    assert status_of(exchange(stack.port, tls, form.get("/health"), 2)) == 200


def fuzz(stack: Stack, tls: ssl.SSLContext, form: Form, chance: random.Random, requests: int) -> None:
    """Requests one after another; each of them fails the test with what it was."""
    end = time.monotonic() + DEADLINE_SECONDS
    for number in range(requests):
        assert time.monotonic() < end, f"{number} requests"
        kind, request = chance.choice(KINDS)(chance, form)
        answer = exchange(stack.port, tls, request, ANSWER_SECONDS if kind == "whole" else 0.1)
        assert answer is not None or kind == "broken", f"no answer to {request[:2000]!r}"
        assert status_of(answer) not in (500, 502, 504), f"{answer!r} to {request[:2000]!r}"
        if number % 50 == 0:
            assert status_of(exchange(stack.port, tls, form.get("/health"), 2)) == 200


def server_memory(stack: Stack) -> int:
    """The door's own, in bytes."""
    server = "$(pgrep -P 1 -f entrypoint.door.server)"
    return 1024 * int(stack.door_shell(f"awk '/^RssAnon/ {{print $2}}' /proc/{server}/status"))
