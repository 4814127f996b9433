"""What is printed is joined to what waits behind it, and nothing else is: not a letter is lost or moved."""

from __future__ import annotations

import random
from collections import deque
from typing import Any

import pytest
from jupyter_client.session import Session

from entrypoint.kernels import prints
from entrypoint.kernels.prints import Message, joined

KEY = b"of this kernel"
PARENT = {"msg_id": "1", "msg_type": "execute_request"}
OTHER = {"msg_id": "2", "msg_type": "execute_request"}


def session_of(key: bytes = KEY) -> Session:
    return Session(key=key)


def said(
    content: dict[str, Any],
    kind: str = "stream",
    parent: dict[str, Any] = PARENT,
    session: Session | None = None,
    **more: Any,
) -> Message:
    by = session or session_of()
    message: Message = [b"topic", *by.serialize(by.msg(kind, content=content, parent=parent, **more))]
    return message


def line(text: str, name: str = "stdout", **more: Any) -> Message:
    return said({"name": name, "text": text}, **more)


def passed_on(*messages: Message) -> list[Message]:
    """What those who listen get, of what waits together."""
    session, waiting, passed = session_of(), deque(messages), []
    while waiting:
        passed.append(joined(session, waiting.popleft(), lambda: waiting[0] if waiting else None, waiting.popleft))
    return passed


def read(message: Message) -> dict[str, Any]:
    """As a page reads it, which judges the signature too."""
    session = session_of()
    opened: dict[str, Any] = session.deserialize(session.feed_identities(message)[1])
    return opened


def test_prints_are_one_message_with_the_first_one_s_header_and_a_signature_of_its_own() -> None:
    first = line("a\n")
    (one,) = passed_on(first, line("b\n"), line("ü\r"), line(""))
    opened = read(one)
    assert opened["content"] == {"name": "stdout", "text": "a\nb\nü\r"}
    assert opened["header"] == read(first)["header"]
    assert (one[0], opened["parent_header"]["msg_id"]) == (b"topic", "1")


ALONE = {
    "another stream": line("x", "stderr"),
    "another cell's": line("x", parent=OTHER),
    "nobody's": line("x", parent={}),
    "another kind": said({"name": "stdout", "text": "x"}, "display_data"),
    "a state": said({"execution_state": "idle"}, "status"),
    "something besides": said({"name": "stdout", "text": "x", "more": 1}),
    "other metadata": line("x", metadata={"a": 1}),
    "no text": said({"name": "stdout", "text": 1}),
    "no name": said({"text": "x", "other": ""}),
    "no content": said({}),
    "with a buffer": [*line("x"), b"buffer"],
    "signed by somebody else": line("x", session=session_of(b"another key")),
    "without its parts": [b"topic", b"<IDS|MSG>", b"stream"],
    "without anything": [],
    "no JSON": [*line("x")[:3], b"stream", b"{}", b"{}", b"{"],
}


@pytest.mark.parametrize("odd", ALONE.values(), ids=ALONE.keys())
def test_all_else_is_passed_on_as_it_came(odd: Message) -> None:
    before, after = line("a"), line("b")
    assert passed_on(before, odd, after) == [before, odd, after]


def test_one_that_waits_alone_is_passed_on_as_it_came() -> None:
    only = line("a")
    assert passed_on(only) == [only]


def test_what_is_joined_is_no_longer_than_it_has_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prints, "CHARACTERS_MAX", 4)
    passed = [read(each)["content"]["text"] for each in passed_on(*map(line, ["ab", "cde", "f", "ghijkl", "m"]))]
    assert passed == ["abcde", "fghijkl", "m"]
    monkeypatch.setattr(prints, "MESSAGES_MAX", 3)
    assert [read(each)["content"]["text"] for each in passed_on(*map(line, ["a", "", "", "", "b"]))] == ["a", "b"]


def test_whatever_is_said_comes_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prints, "CHARACTERS_MAX", 50)
    chance = random.Random(1)  # noqa: S311  # nothing secret
    for _ in range(100):
        kinds = [(chance.choice(["stdout", "stderr"]), chance.choice([PARENT, OTHER])) for _ in range(60)]
        messages = [line(f"{n}\n", name, parent=parent) for n, (name, parent) in enumerate(kinds)]
        lines = [
            (opened["content"]["name"], opened["parent_header"]["msg_id"], text)
            for opened in map(read, passed_on(*messages))
            for text in opened["content"]["text"].split()
        ]
        assert lines == [(name, parent["msg_id"], str(n)) for n, (name, parent) in enumerate(kinds)]
