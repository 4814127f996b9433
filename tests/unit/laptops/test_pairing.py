"""What the state keeps of laptops, and what the service that syncs is told of it."""

from __future__ import annotations

import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.laptops.pairing import keep_pairing, read_laptops, read_pairing, write_laptops
from entrypoint.system.pairing import Laptop, Pairing, from_json, to_json
from tests.unit.laptops.test_device_id import ID, OTHER

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    places.state.mkdir(parents=True)
    places.pairing.parent.mkdir(parents=True)
    return places


def start(places: Places) -> list[str]:
    said: list[str] = []
    keep_pairing(places, NOW, said.append)
    return said


def test_without_the_service_nothing_is_made(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.state.mkdir(parents=True)
    assert start(places) == []
    assert list(places.state.iterdir()) == []
    with pytest.raises(WorkhorseError, match="not switched on"):
        read_pairing(places)


def test_the_key_and_the_paired_outlive_a_start(places: Places) -> None:
    assert start(places) == []
    write_laptops(places, [Laptop(ID, "ada"), Laptop(OTHER)])
    before = read_pairing(places)
    assert start(places) == []
    assert read_pairing(places) == before == from_json(places.pairing.read_bytes())
    assert before.laptops == (Laptop(ID, "ada"), Laptop(OTHER))
    assert before.folder == f"workhorse-{before.device[:7].lower()}"


def test_what_holds_the_key_is_its_owner_s_alone(places: Places) -> None:
    start(places)
    assert {stat.S_IMODE(path.stat().st_mode) for path in (places.device_key, places.pairing)} == {0o600}
    assert "PRIVATE KEY" not in repr(read_pairing(places))


def test_a_damaged_key_is_set_aside_and_said(places: Places) -> None:
    start(places)
    before = read_pairing(places).device
    places.device_key.write_text("damaged")
    (said,) = start(places)
    assert "set-aside-1. Pair your laptops anew." in said
    assert read_pairing(places).device != before


@pytest.mark.parametrize("text", ["", "[]", '{"laptops": 3}', '{"laptops": [{"id": "x", "name": ""}]}', "{}"])
def test_a_damaged_list_names_what_mends_it(places: Places, text: str) -> None:
    places.laptops.write_text(text)
    with pytest.raises(WorkhorseError, match="forget --all"):
        read_laptops(places)


def test_a_damaged_list_keeps_no_door_from_starting(places: Places) -> None:
    start(places)
    places.laptops.write_text("damaged")
    (said,) = start(places)
    assert "set-aside-1. Pair your laptops anew." in said
    assert read_pairing(places).laptops == ()


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"laptops": [1]}', '{"laptops": [], "more": 1}'])
def test_what_no_door_has_written_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        from_json(text)


def test_it_is_read_back_as_it_was() -> None:
    pairing = Pairing(ID, "certificate", "key", "workhorse-74dq62x", (Laptop(OTHER, 'a "b" <c>'),))
    assert from_json(to_json(pairing)) == pairing
