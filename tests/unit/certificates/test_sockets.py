"""The answer to plain HTTP on the port of TLS, whatever is sent there."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from entrypoint.certificates.sockets import redirect_to_https

# The whole of what may be answered, in one pattern each.
REDIRECT = re.compile(
    rb"HTTP/1\.1 307 Temporary Redirect\r\n"
    rb"Location: https://(?P<host>[A-Za-z0-9.:\[\]-]+)/[!-~]*\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
)
REFUSAL = re.compile(rb"HTTP/1\.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
# Bytes that are likely to hurt, between any others.
pieces = st.sampled_from(
    [b"\r\n", b"\n", b"\r", b"\0", b" HTTP/1.1", b"\r\nHost: ", b"\r\nhost:\t", b"localhost:8888", b"[::1]", b"@",
     b"//", b"\r\nSet-Cookie: a=b", b"\r\nLocation: https://elsewhere.example.org", b"lab?x=1", b"%0d%0a",
     b"\x85", b"\x0b"]
)  # fmt: skip
requests = st.lists(st.one_of(pieces, st.binary(max_size=20)), max_size=30).map(b"".join)


@given(requests)
@example(b"")
@example(b"lab\r\nSet-Cookie: a=b HTTP/1.1\r\nHost: localhost\r\n\r\n")
@example(b"lab HTTP/1.1\r\nHost: localhost\r\nHost: elsewhere\r\n\r\n")
@example(b"x" * 8192)
@example(b" HTTP/1.1" + b"\r\nHost: " * 1000)
def test_no_request_writes_a_line_of_the_answer(request: bytes) -> None:
    answer = redirect_to_https(request)
    assert REDIRECT.fullmatch(answer) or REFUSAL.fullmatch(answer)
    assert len(answer) < 2500


@given(st.from_regex(r"[a-z0-9-]{1,20}(\.[a-z0-9-]{1,20}){0,3}(:[0-9]{1,5})?", fullmatch=True), requests)
def test_the_host_that_was_asked_for_is_the_one_that_is_named(host: str, rest: bytes) -> None:
    answer = redirect_to_https(b"lab HTTP/1.1\r\nHost: " + host.encode() + b"\r\n" + rest)
    match = REDIRECT.fullmatch(answer)
    assert match
    assert match["host"] == host.encode()


@pytest.mark.parametrize(
    ("request_rest", "path"),
    [
        # What is left of it after the five bytes that OpenSSL has read: GET, HEAD, POST and PUT.
        (b"lab?a=b HTTP/1.1", b"lab?a=b"),
        (b" HTTP/1.1", b""),
        (b"/lab HTTP/1.1", b"lab"),
        (b"lab\x7f HTTP/1.1", b""),
        (b"a" * 2000 + b" HTTP/1.1", b"a" * 2000),
        (b"a" * 2001 + b" HTTP/1.1", b""),
    ],
)
def test_the_path_is_kept_where_it_is_sound(request_rest: bytes, path: bytes) -> None:
    answer = redirect_to_https(request_rest + b"\r\nHost: [::1]:8888\r\n\r\n")
    assert b"\r\nLocation: https://[::1]:8888/" + path + b"\r\n" in answer
