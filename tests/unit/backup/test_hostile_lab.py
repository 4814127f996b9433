"""What a lab may send instead of the home, or say of a restore: one error each, and nothing that looks whole."""

from __future__ import annotations

import gzip
import io
import json
import socket
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entrypoint.backup.archive import END, MANIFEST
from entrypoint.commands.backup import backup
from entrypoint.commands.restore import restore
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.home.restore import answer, finish_restore
from entrypoint.proxy.unix_socket import connect_without_links
from tests.homes import Speak, lab, odd_lab
from tests.stacks import poll
from tests.unit.backup.test_backup import (
    NOW,
    backed_up,
    fresh,
    hand_made,
    home_part,
    members,
    places,
    restored,
    tree,
    write,
)  # fmt: skip

__all__ = ["fresh", "places"]
FILE, FOLDER, LINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\n\r\n"
NOTHING: dict[str, Any] = {"format": 1, "left_out": {"counts": {}, "kept": {}}}
Member = tuple[str, bytes, str]


def one(name: str, content: bytes = b"", kind: bytes = FILE, target: str = "", **fields: Any) -> bytes:
    """A member as it lies in an archive."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, len(content)
    for field, value in fields.items():
        setattr(member, field, value)
    padded = content + bytes(-len(content) % tarfile.BLOCKSIZE)
    return member.tobuf(tarfile.PAX_FORMAT, errors="surrogateescape") + padded


def text(name: str, content: object) -> bytes:
    return one(name, json.dumps(content).encode())


def part(*between: bytes, files: int = 0, manifest: object = NOTHING, **end: Any) -> bytes:
    """A home's part with these members."""
    told = {"files": files, "notes": {}, "more_notes": 0, **end}
    return b"".join([text(MANIFEST, manifest), *between, text(END, told), bytes(1024)])


def saying(*said: bytes) -> Speak:
    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        for each in said:
            connection.sendall(each)

    return speak


def refused(places: Places, speak: Speak, reason: str) -> None:
    """Asserts that a backup ends with one error, and that no archive came of it."""
    stream = io.BytesIO()
    with odd_lab(places, speak), pytest.raises(WorkhorseError, match=reason) as error:
        backup(places, stream, NOW, lambda _: None)
    assert len(str(error.value).splitlines()) == 2
    if stream.getvalue():
        with pytest.raises(EOFError):
            gzip.decompress(stream.getvalue())


def test_a_part_as_it_should_be_is_taken(places: Places) -> None:
    stream = io.BytesIO()
    sent = part(one("environments/a.yml"), one("home/a", kind=FOLDER), one("home/a/b", b"x"), one("home/b"), files=2)
    with odd_lab(places, saying(HEAD, sent)):
        backup(places, stream, NOW, lambda _: None)
    assert members(stream.getvalue())["home/a/b"] == b"x"


MEMBERS = {
    "state": [one("state/tls/authority.pem", b"of the server's")],
    "absolute": [one("/etc/evil")],
    "above": [one("../evil")],
    "above-in-home": [one("home/../state/evil")],
    "here": [one("home/./evil")],
    "empty-part": [one("home//evil")],
    "home-itself": [one("home", kind=FOLDER)],
    "manifest-again": [text(MANIFEST, NOTHING)],
    "elsewhere": [one("elsewhere/x")],
    "nul": [one("home/x", pax_headers={"path": "home/x\0y"})],
    "too-long-a-name": [one("home/" + "x" * 256)],
    "too-deep": [one("home/" + "x/" * 2300 + "x")],
    "device": [one("home/x", kind=tarfile.CHRTYPE)],
    "disk": [one("home/x", kind=tarfile.BLKTYPE)],
    "pipe": [one("home/x", kind=tarfile.FIFOTYPE)],
    "hard-link": [one("home/x", kind=tarfile.LNKTYPE, target="state/tls/authority.pem")],
    "sparse": [one("home/x", kind=tarfile.GNUTYPE_SPARSE)],
    "gnu-long-name": [one("x", b"home/x\0", kind=tarfile.GNUTYPE_LONGNAME), one("home/x")],
    "gnu-long-link": [one("x", b"home/x\0", kind=tarfile.GNUTYPE_LONGLINK), one("home/x")],
    "global-header": [one("x", b"12 path=home/x\n", kind=tarfile.XGLTYPE)],
    "two-headers": [one("x", b"13 path=home\n", kind=tarfile.XHDTYPE)] * 2,
    "long-header": [one("x", bytes(70_000), kind=tarfile.XHDTYPE)],
    "link-to-nothing": [one("home/x", kind=LINK)],
    "link-too-long": [one("home/x", kind=LINK, target="x" * 4096)],
    "below-a-link": [one("home/x", kind=LINK, target="/etc"), one("home/x/evil")],
    "below-a-file": [one("home/x"), one("home/x/evil")],
    "below-nothing": [one("home/x/evil")],
    "back-in-a-folder": [one("home/a", kind=FOLDER), one("home/b"), one("home/a/x")],
    "twice": [one("home/x"), one("home/x")],
    "unsorted": [one("home/b"), one("home/a")],
    "no-time": [one("home/x", pax_headers={"mtime": "nan"})],
    "odd-time": [one("home/x", pax_headers={"mtime": "1e300"})],
    "odd-size": [one("home/x", pax_headers={"size": "9" * 30})],
    "size-below-nothing": [one("home/x", pax_headers={"size": "-1"})],
    "a-restore-s-folder": [one("home/before-restore-1", kind=FOLDER)],
    "a-restore-s-remains": [one("home/.restoring-x", kind=FOLDER)],
    "a-restore-s-mark": [one("home/.half-restored")],
    "list-too-late": [one("home/x"), one("environments/a.yml")],
    "list-twice": [one("environments/a.yml"), one("environments/a.yml")],
    "list-of-nothing": [one("environments/a")],
    "list-below": [one("environments/a/b.yml")],
    "list-as-a-link": [one("environments/a.yml", kind=LINK, target="/etc")],
    "lists-too-long": [one(f"environments/{number}.yml", bytes(1 << 22)) for number in range(5)],
}


@pytest.mark.parametrize("sent", MEMBERS.values(), ids=MEMBERS)
def test_a_member_that_is_no_part_of_a_home_ends_the_backup(places: Places, sent: list[bytes]) -> None:
    refused(places, saying(HEAD, part(*sent, files=len(sent))), "no home's part of a backup")


PARTS = {
    "nothing": b"",
    "zeros": bytes(10_000),
    "gzip": gzip.compress(part()),
    "no-end": text(MANIFEST, NOTHING) + one("home/x", b"x") + bytes(1024),
    "cut-in-a-header": part(one("home/x"), files=1)[:1200],
    "cut-in-a-file": text(MANIFEST, NOTHING) + one("home/x", bytes(5000))[:2000],
    "count": part(one("home/x"), files=2),
    "no-count": text(MANIFEST, NOTHING) + text(END, {}),
    "more-after-the-end": part()[:-1024] + one("home/x") + bytes(1024),
    "newer": part(manifest={**NOTHING, "format": 2}),
    "no-list": part(manifest={"format": 1}),
    "list-of-lists": part(manifest={"format": 1, "left_out": []}),
    "unknown-reason": part(manifest={"format": 1, "left_out": {"counts": {"\x1b[2J": 1}, "kept": {}}}),
    "name-elsewhere": part(manifest={"format": 1, "left_out": {"counts": {"trash": 1}, "kept": {"trash": ["/x"]}}}),
    "fewer-than-named": part(manifest={"format": 1, "left_out": {"counts": {"trash": 0}, "kept": {"trash": ["home"]}}}),
    "count-is-text": part(manifest={"format": 1, "left_out": {"counts": {"trash": "1"}, "kept": {}}}),
    "many-notes": part(notes={f"home/{number}": "x" for number in range(101)}),
    "note-elsewhere": part(notes={"state/tls": "left out"}),
    "notes-are-a-list": part(notes=["x"]),
    "endless-json": one(MANIFEST, b"[" * 100_000),
    "surrogate": part(notes={"home/\ud800": "x"}),
    "long-json": text(MANIFEST, {"format": 1, "x": "x" * (1 << 22)}),
}  # fmt: skip


@pytest.mark.parametrize("sent", PARTS.values(), ids=PARTS)
def test_a_part_that_is_not_whole_ends_the_backup(places: Places, sent: bytes) -> None:
    refused(places, saying(HEAD, sent), "The backup is not complete")


ANSWERS = {
    "silence": b"",
    "garbage": b"\0" * 100,
    "no-status": b"HTTP/1.1 fine\r\n\r\n",
    "absent": b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "switching": b"HTTP/1.1 101 Switching\r\n\r\n",
    "long-line": b"HTTP/1.1 200 " + b"x" * 100_000,
    "many-lines": b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 1000,
    "cut": HEAD[:-2],
    "cut-line": HEAD[:10],
}


@pytest.mark.parametrize("said", ANSWERS.values(), ids=ANSWERS)
def test_an_answer_that_is_none_ends_the_backup(places: Places, said: bytes) -> None:
    refused(places, saying(said), "The backup is not complete: ")


def test_a_lab_that_drips_its_headers_is_given_up(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoint.proxy.streaming.HEAD_SECONDS", 0.5)

    def drip(connection: socket.socket) -> None:
        connection.recv(65536)
        connection.settimeout(0.05)
        for letter in HEAD * 100:
            connection.sendall(bytes([letter]))
            try:
                connection.recv(1)
                return
            except TimeoutError:
                continue

    began = time.monotonic()
    refused(places, drip, "the kernels' server")
    assert time.monotonic() - began < 10


def test_a_lab_that_stops_in_the_middle_is_given_up(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoint.proxy.streaming.SILENCE_SECONDS", 0.5)

    def stop(connection: socket.socket) -> None:
        saying(HEAD, part(one("home/x", bytes(5000)))[:3000])(connection)
        while connection.recv(65536):
            pass

    refused(places, stop, "the kernels' server has been silent for too long")


def test_without_a_lab_both_name_the_line_that_starts_it(places: Places) -> None:
    nothing, file, link = str, Path.touch, lambda path: path.symlink_to("/dev/zero")
    ways: list[Callable[[Path], object]] = [nothing, file, link]
    for put in ways:
        places.kernels_socket.unlink(missing_ok=True)
        put(places.kernels_socket)
        with pytest.raises(WorkhorseError, match=r"can't be reached.*\n.*docker compose up -d kernels"):
            backup(places, io.BytesIO(), NOW, print, 0.1)
        before = tree(places.state)
        with pytest.raises(WorkhorseError, match=r"can't be reached.*\n.*docker compose up -d kernels"):
            restore(places, io.BytesIO(hand_made()), False, print, 0.1)
        assert tree(places.state) == before


def test_a_socket_behind_a_link_is_not_the_lab_s(places: Places, tmp_path: Path) -> None:
    with lab(places):
        places.kernels_socket.rename(tmp_path / "elsewhere")
        places.kernels_socket.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(WorkhorseError, match="can't be reached"):
            backup(places, io.BytesIO(), NOW, print, 0.1)


def hearing(said: bytes, until: bytes) -> Speak:
    """Answers once it has heard something."""

    def speak(connection: socket.socket) -> None:
        heard = b""
        while until not in heard:
            if not (more := connection.recv(65536)):
                return
            heard += more
        connection.sendall(said)

    return speak


def answering(content: object, status: str = "200 OK") -> bytes:
    body = json.dumps(content).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


WHOLE = b"\r\n0\r\n\r\n"
REFUSALS = {
    "running": (
        {"reason": "running", "kernels": 2, "terminals": 1},
        "what runs: 2 kernels, 1 terminals",
    ),
    "numbers": ({"reason": "running", "kernels": "x" * 99, "terminals": [1]}, "0 kernels, 0 terminals"),
    "names": ({"reason": "used", "names": ["\x1b[2J" * 99] * 9, "more": 10**400}, r"holds \\x1b"),
    "no-names": ({"reason": "used", "names": 7}, "holds "),
    "text": ({"reason": "unwritable", "text": ["\u202e"] * 1000}, "everything is as it was"),
    "odd": ({"reason": {"\x1b": 1}}, "could not restore the home"),
}


@pytest.mark.parametrize(("said", "wanted"), REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("until", [b"\r\n\r\n", WHOLE], ids=["at-once", "at-the-end"])
def test_a_refusal_is_told_in_print_and_changes_nothing(
    places: Places, fresh: Places, said: object, wanted: str, until: bytes
) -> None:
    archive, before = backed_up(places)[0], tree(fresh.state)
    speaking = odd_lab(fresh, hearing(answering(said, "409 Conflict"), until))
    with speaking, pytest.raises(WorkhorseError, match=wanted) as error:
        restore(fresh, io.BytesIO(archive), False, print)
    assert all(line.isprintable() and len(line) < 3000 for line in str(error.value).splitlines())
    assert tree(fresh.state) == before


NO_ANSWERS = [b"", b"garbage\r\n\r\n", answering([1]), answering({}, "500 Oh"), HEAD + b"["]


@pytest.mark.parametrize("said", NO_ANSWERS, ids=str)
def test_a_lab_that_gives_no_answer_leaves_the_state_as_it_was(places: Places, fresh: Places, said: bytes) -> None:
    archive, before = backed_up(places)[0], tree(fresh.state)
    with odd_lab(fresh, hearing(said, WHOLE)), pytest.raises(WorkhorseError, match="is not known: "):
        restore(fresh, io.BytesIO(archive), False, print)
    assert tree(fresh.state) == before
    with lock.shared(fresh.state):
        pass


def test_a_lab_that_is_done_before_the_end_is_not_believed(places: Places, fresh: Places) -> None:
    archive, before = backed_up(places)[0], tree(fresh.state)
    with odd_lab(fresh, hearing(answering({}), b"\r\n\r\n")), pytest.raises(WorkhorseError, match="before it could be"):
        restore(fresh, io.BytesIO(archive), False, print)
    assert tree(fresh.state) == before


def test_what_the_lab_says_it_made_is_shown_where_it_is_such_a_name(places: Places, fresh: Places) -> None:
    said: list[str] = []
    told = {"aside": "before-restore-1\x1b[2J", "lists": "../../etc; rm -rf /"}
    archive = backed_up(places)[0]
    with odd_lab(fresh, hearing(answering(told), WHOLE)):
        restore(fresh, io.BytesIO(archive), False, said.append)
    assert not [line for line in said if "\x1b" in line or "/etc" in line or "home" in line]


def test_nothing_of_the_state_goes_to_the_lab(places: Places, fresh: Places) -> None:
    heard = bytearray()

    def listen(connection: socket.socket) -> None:
        while not heard.endswith(WHOLE):
            heard.extend(connection.recv(65536))
        connection.sendall(answering({}))

    archive = backed_up(places)[0]
    with odd_lab(fresh, listen):
        restore(fresh, io.BytesIO(archive), False, lambda _: None)
    assert b"home/bin/tool" in heard and b"#!/bin/sh" in heard
    assert b"state/" not in heard and b"key of the authority" not in heard and b"argon2" not in heard


# What the door would not send: the kernels' server distrusts it all the same.
SENT = [
    *(sent for name, sent in MEMBERS.items() if name not in (
        # The home's folder alone decides of these, and takes them as they come.
        "back-in-a-folder", "unsorted", "no-time", "odd-time", "below-nothing", "list-too-late", "list-twice",
        "a-restore-s-folder", "a-restore-s-remains", "a-restore-s-mark",
    )),
]  # fmt: skip


@pytest.mark.parametrize("sent", SENT)
def test_a_hostile_stream_leaves_the_home_as_it_was(fresh: Places, sent: list[bytes]) -> None:
    before = tree(fresh.root)
    said = answer(fresh.home, False, io.BytesIO(part(*sent, files=len(sent))), io.BytesIO())
    assert said["reason"] == "damaged", said
    assert tree(fresh.root) == before


@pytest.mark.parametrize("sent", [sent for name, sent in PARTS.items() if name in (
    "nothing", "zeros", "gzip", "no-end", "cut-in-a-header", "cut-in-a-file", "count", "no-count",
    "more-after-the-end", "newer", "endless-json", "long-json",
)])  # fmt: skip
def test_a_stream_that_is_not_whole_leaves_the_home_as_it_was(fresh: Places, sent: bytes) -> None:
    before = tree(fresh.root)
    assert answer(fresh.home, False, io.BytesIO(sent), io.BytesIO())["reason"] == "damaged"
    assert tree(fresh.root) == before


class Running:
    """Kernels or terminals, as Jupyter's managers tell them."""

    def list_kernel_ids(self) -> list[str]:
        return ["a", "b"]

    def list(self) -> list[str]:
        return ["1"]


@pytest.mark.parametrize("manager", ["kernel_manager", "terminal_manager"])
def test_a_home_that_something_runs_on_is_left_alone(places: Places, fresh: Places, manager: str) -> None:
    archive, before = backed_up(places)[0], tree(fresh.root)
    with lab(fresh) as made:
        made.settings[manager] = Running()
        with pytest.raises(WorkhorseError, match=r"in use by what runs.*\n.*docker compose restart kernels"):
            restore(fresh, io.BytesIO(archive), True, print)
        assert made.ends == 0
    assert tree(fresh.root) == before


def test_the_lab_ends_itself_once_the_home_is_another(places: Places, fresh: Places) -> None:
    archive = backed_up(places)[0]
    with lab(fresh) as made:
        with pytest.raises(WorkhorseError, match="not a whole"):
            restore(fresh, io.BytesIO(archive[:-100]), False, print)
        assert made.ends == 0
        restore(fresh, io.BytesIO(archive), False, lambda _: None)
        assert made.ends == 1


def test_a_lab_whose_door_has_gone_at_the_very_end_still_ends_itself(places: Places, fresh: Places) -> None:
    sent = home_part(places)
    with lab(fresh) as made:
        with socket.socket(socket.AF_UNIX) as door:
            connect_without_links(door, fresh.kernels_socket)
            door.sendall(b"POST /workhorse/restore HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
            # All of the archive, and not the end of the request.
            door.sendall(b"%x\r\n%b\r\n" % (len(sent), sent))
            poll((fresh.home / "bin").exists, wanted="the home in its place")
        poll(lambda: made.ends or None, wanted="the server's end")


JOURNALS: list[object] = [
    [], {}, {"half": "in"}, {"half": "in", "folder": "../outside", "aside": "before-restore-1"},
    {"half": "aside", "folder": ".restoring-x", "aside": "/tmp"}, {"half": "in", "folder": 7, "aside": None},
]  # fmt: skip


@pytest.mark.parametrize("journal", JOURNALS, ids=str)
def test_a_journal_that_is_none_is_set_aside(fresh: Places, journal: object) -> None:
    write(fresh.home / lock.HALF_RESTORED, json.dumps(journal))
    assert "is none of a restore's" in str(finish_restore(fresh.home))
    assert finish_restore(fresh.home) is None
    assert (fresh.home / "venv" / "pyvenv.cfg").exists()


ODD: list[Callable[[Path], object]] = [
    Path.mkdir, lambda path: path.symlink_to("/dev/zero"),
    lambda path: write(path, '{"half": "in", "folder": ".restoring-gone", "aside": "before-restore-1"}'),
]  # fmt: skip


@pytest.mark.parametrize("make", ODD, ids=["folder", "endless", "gone"])
def test_a_journal_that_leads_nowhere_holds_no_start_up(fresh: Places, make: Callable[[Path], object]) -> None:
    make(fresh.home / lock.HALF_RESTORED)
    assert "can't go on" in str(finish_restore(fresh.home))
    assert (fresh.home / "venv" / "pyvenv.cfg").exists()


def test_a_home_with_a_hostile_journal_is_still_restored(places: Places, fresh: Places) -> None:
    (fresh.home / lock.HALF_RESTORED).mkdir()
    restored(backed_up(places)[0], fresh)
    assert (fresh.home / "bin" / "tool").exists()
    assert home_part(fresh)
