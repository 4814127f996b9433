"""The door asks for the ends of cells only a server that is awake, believes little of it, and sends no flood."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from entrypoint.door import notices as door_notices
from entrypoint.door.messenger import harmless
from entrypoint.door.notices import NOTICES_MAX, PERIOD_SECONDS, Notifier
from entrypoint.files.places import Places
from entrypoint.proxy.upstreams import Upstream
from entrypoint.system.notices import as_json
from tests.labs import StandInLab
from tests.unit.system.test_notices import NOTICE

URL = "json://receiver/of-the-phone-s-alone"


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Iterator[Places]:
    monkeypatch.setattr(door_notices, "PAUSE_SECONDS", 0.01)
    with TemporaryDirectory() as folder:
        places = Places(Path(folder))
        for each in (places.server_run, places.kernels_socket.parent):
            each.mkdir(parents=True)
        places.notify_url.write_text(URL)
        yield places


def messenger(monkeypatch: pytest.MonkeyPatch, places: Places, status: int) -> Path:
    """One that keeps what it is told, and fails with a status."""
    kept = places.root / "kept"
    keep = "open(sys.argv[1], 'a').write(sys.stdin.read() + '\\n')"
    code = f"import sys; {keep}; print('Broken'); sys.exit(int(sys.argv[2]))"
    monkeypatch.setattr(door_notices, "MESSENGER", (sys.executable, "-c", code, str(kept), str(status)))
    return kept


async def until(done: Any, notifier: Notifier) -> None:
    running = asyncio.ensure_future(notifier.run())
    try:
        async with asyncio.timeout(20):
            while not done():
                await asyncio.sleep(0.01)
    finally:
        running.cancel()


def notifier_of(places: Places, clock: Any = lambda: 0.0) -> Notifier:
    return Notifier(places, Upstream("kernels", places.kernels_socket), logging.getLogger("told"), clock)


def test_a_server_that_waits_is_not_asked(places: Places) -> None:
    looks = 0

    def looked() -> bool:
        nonlocal looks
        looks += 1
        return looks > 20

    with StandInLab(places, b"[]") as lab:
        asyncio.run(until(looked, notifier_of(places)))
        assert lab.asked == []
        places.kernels_awake.touch()
        asyncio.run(until(lambda: lab.asked, notifier_of(places)))
        assert set(lab.asked) == {"/workhorse/notices"}


def test_what_is_told_goes_to_a_messenger_and_the_address_by_its_input_alone(
    places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = messenger(monkeypatch, places, 0)
    places.kernels_awake.touch()
    with StandInLab(places, json.dumps(as_json([NOTICE])).encode()):
        asyncio.run(until(kept.exists, notifier_of(places)))
    assert json.loads(kept.read_text().splitlines()[0]) == {
        "url": URL,
        "title": "night.ipynb: done",
        "body": "Epoch 100: 0.93",
    }


@pytest.mark.parametrize("answer", [b"x" * 200_000, b"", b"{", b"[" * 60_000, b'[{"notebook": 1}]', b'"text"'])
def test_whatever_it_answers_nothing_is_sent_and_the_next_is_heard(
    places: Places, monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    kept = messenger(monkeypatch, places, 0)
    places.kernels_awake.touch()
    with StandInLab(places, answer) as lab:
        asyncio.run(until(lambda: len(lab.asked) > 3, notifier_of(places)))
    assert not kept.exists()


def test_a_flood_of_notices_is_sent_up_to_a_bound_and_told_of_once(
    places: Places, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    now = 0.0
    kept = messenger(monkeypatch, places, 0)
    notifier = notifier_of(places, lambda: now)

    async def tell(number: int) -> None:
        for _ in range(number):
            await notifier._tell(NOTICE)

    asyncio.run(tell(NOTICES_MAX + 5))
    assert len(kept.read_text().splitlines()) == NOTICES_MAX
    now = PERIOD_SECONDS + 1
    asyncio.run(tell(1))
    assert len(kept.read_text().splitlines()) == NOTICES_MAX + 1
    assert [each.getMessage() for each in caplog.records] == [
        f"More than {NOTICES_MAX} notices within an hour: the rest is not sent by NOTIFY_URL."
    ]


def test_a_failure_is_told_once_until_one_is_sent(
    places: Places, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    notifier = notifier_of(places)
    for status, told in ((1, 1), (1, 1), (0, 1), (1, 2)):
        messenger(monkeypatch, places, status)
        asyncio.run(notifier._tell(NOTICE))
        assert len(caplog.records) == told
    assert caplog.records[0].getMessage() == (
        "A notice could not be sent by NOTIFY_URL: Broken. To try it: docker compose exec workhorse workhorse notify"
    )


def test_no_line_of_the_library_s_is_shown_that_holds_part_of_the_address() -> None:
    url = "mailtos://ada:p%40ss-word@mail.example.org/?to=grace@example.org,json://host/hook"
    lines = ["Page not found., error=404.", "No answer from mail.example.org", "p@ss-word is wrong", "JSON: no HOOK."]
    assert list(harmless(lines, url)) == ["Page not found., error=404"]
