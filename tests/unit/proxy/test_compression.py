"""Which answers are compressed on their way to the browser, and that they say the same."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.unit.proxy.test_handler import answer, answering
from tests.wall import Wall, get, wall

# Each line another, and much alike, as lists of files are.
TEXT = json.dumps([{"name": f"{n}.txt", "size": n} for n in range(20_000)]).encode()
PAGE_S_OWN = ("Sec-Fetch-Site: same-origin", "Accept-Encoding: gzip, deflate, br, zstd")
Behind = Callable[[bytes], AbstractContextManager[Wall]]
JSON = "Content-Type: application/json"


@pytest.fixture
def behind(tmp_path_factory: pytest.TempPathFactory) -> Behind:
    return lambda said: wall(tmp_path_factory.mktemp("wall") / "lab", answering(said))


def asked(door: Wall, *headers: str, path: str = "/api/contents") -> tuple[dict[str, str], bytes]:
    head, _, body = door.ask(get(path, *headers)).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    fields = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if fields.get("transfer-encoding") == "chunked":
        body = unchunked(body)
    return fields, body


def unchunked(body: bytes) -> bytes:
    whole = b""
    while size := int(body.partition(b"\r\n")[0], 16):
        body = body.partition(b"\r\n")[2]
        whole, body = whole + body[:size], body[size + 2 :]
    return whole


def test_what_the_page_asks_for_comes_compressed_and_says_the_same(behind: Behind) -> None:
    with behind(answer(TEXT, JSON, 'Etag: "1"', "Vary: Origin")) as door:
        fields, body = asked(door, *PAGE_S_OWN)
    assert fields["content-encoding"] == "gzip"
    assert "content-length" not in fields
    assert fields["etag"] == 'W/"1"'
    assert fields["vary"] == "Accept-Encoding, Sec-Fetch-Site"
    assert gzip.decompress(body) == TEXT
    assert len(body) < len(TEXT) / 5


NOT_BY_A_PAGE_OF_OURS = {
    "another site's": "Sec-Fetch-Site: cross-site",
    "a neighbour's": "Sec-Fetch-Site: same-site",
    "a link from nowhere": "Sec-Fetch-Site: none",
    "an old browser's": "X-Own: 1",
    "two claims": "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site",
}


@pytest.mark.parametrize("header", NOT_BY_A_PAGE_OF_OURS.values(), ids=NOT_BY_A_PAGE_OF_OURS.keys())
def test_no_stranger_learns_anything_from_the_length_of_an_answer(behind: Behind, header: str) -> None:
    """BREACH: an answer that another site had a browser ask for is as long as what is in it, whatever that is."""
    with behind(answer(TEXT, JSON)) as door:
        fields, body = asked(door, header, "Accept-Encoding: gzip")
    assert "content-encoding" not in fields
    assert (int(fields["content-length"]), body) == (len(TEXT), TEXT)


AS_IT_IS = {
    "a picture": (answer(TEXT, "Content-Type: image/png"), PAGE_S_OWN, "/x"),
    "what is short": (answer(TEXT[:2047], JSON), PAGE_S_OWN, "/x"),
    "what is compressed": (answer(TEXT, JSON, "Content-Encoding: br"), PAGE_S_OWN, "/x"),
    "a refusal": (answer(TEXT, JSON, status="404 Not Found"), PAGE_S_OWN, "/x"),
    "a part": (answer(TEXT, JSON, "Content-Range: bytes 0-9/90", status="206 Partial Content"), PAGE_S_OWN, "/x"),
    "a download": (answer(TEXT, JSON), PAGE_S_OWN, "/files/x.json"),
    "what must not change": (answer(TEXT, JSON, "Cache-Control: no-transform"), PAGE_S_OWN, "/x"),
    "for who takes none": (answer(TEXT, JSON), PAGE_S_OWN[:1], "/x"),
    "for who refuses it": (answer(TEXT, JSON), (PAGE_S_OWN[0], "Accept-Encoding: gzip;q=0"), "/x"),
}


@pytest.mark.parametrize("case", AS_IT_IS.values(), ids=AS_IT_IS.keys())
def test_all_else_comes_as_it_is(behind: Behind, case: tuple[bytes, tuple[str, ...], str]) -> None:
    said, headers, path = case
    with behind(said) as door:
        fields, body = asked(door, *headers, path=path)
    assert fields.get("content-encoding") in (None, "br")
    assert body == said.partition(b"\r\n\r\n")[2]


def test_an_answer_that_breaks_off_is_whole_to_nobody(behind: Behind) -> None:
    said = answer(os.urandom(200_000), JSON)
    with behind(said[:-1]) as door, pytest.raises(ConnectionResetError):
        asked(door, *PAGE_S_OWN)
