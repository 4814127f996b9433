"""`workhorse sync`, as far as no Syncthing is needed for it."""

from __future__ import annotations

from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import segno

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.laptops.command import addresses, block, run, show, steps
from entrypoint.laptops.pairing import keep_pairing, read_laptops, read_pairing
from entrypoint.settings.known import write_known_settings
from entrypoint.settings.settings import from_environ
from entrypoint.system.pairing import Laptop
from tests.unit.laptops.test_device_id import ID, OTHER

NOW = datetime(2026, 11, 29, tzinfo=UTC)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.state, places.pairing.parent):
        folder.mkdir(parents=True)
    keep_pairing(places, NOW, print)
    return places


def sync(places: Places, *words: str, is_all: bool = False) -> int:
    action, device, name = (*words, None, None, None)[:3]
    return run(places, Namespace(action=action, device=device, name=name, all=is_all, another=False))


def test_where_it_is_not_switched_on_the_line_for_env_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkhorseError, match="COMPOSE_FILE=docker-compose"):
        sync(Places(tmp_path))


def test_what_is_decided_is_kept_while_syncthing_is_away(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    assert sync(places, "pair", ID.lower(), " ada\x1b[2J ") == 0
    assert read_laptops(places) == (Laptop(ID, "ada\\x1b[2J"),)
    assert "docker compose restart sync" in capsys.readouterr().out
    assert sync(places, "pair", ID, "ada") == 0
    assert read_laptops(places) == (Laptop(ID, "ada"),)
    assert sync(places, "forget") == 0
    assert read_laptops(places) == ()


def test_of_several_one_is_forgotten_by_its_id_or_all(places: Places) -> None:
    for device in (ID, OTHER):
        sync(places, "pair", device)
    with pytest.raises(WorkhorseError, match="2 laptops are paired"):
        sync(places, "forget")
    sync(places, "forget", OTHER)
    assert read_laptops(places) == (Laptop(ID),)
    sync(places, "pair", OTHER)
    sync(places, "forget", is_all=True)
    assert read_laptops(places) == ()


def test_all_alone_forgets_nobody(places: Places) -> None:
    sync(places, "pair", ID)
    sync(places, "pair", OTHER, is_all=True)
    assert read_laptops(places) == (Laptop(ID), Laptop(OTHER))


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("pair",), "Which laptop"),
        (("pair", "ada"), "eight groups"),
        (("forget",), "No laptop is paired"),
        (("start",), "'start' is nothing"),
    ],
)
def test_what_makes_no_sense_is_refused(places: Places, words: tuple[str, ...], reason: str) -> None:
    with pytest.raises(WorkhorseError, match=reason):
        sync(places, *words)


def test_its_own_id_is_no_laptop_s(places: Places) -> None:
    with pytest.raises(WorkhorseError, match="own device ID"):
        sync(places, "pair", read_pairing(places).device)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"SERVER_NAMES": "lab.example.org,2001:db8::1"}, ["tcp://lab.example.org:22000", "tcp://[2001:db8::1]:22000"]),
        ({"BIND_ADDRESS": "127.0.0.1", "SYNC_PORT": "22001"}, ["tcp://127.0.0.1:22001"]),
        ({}, ["tcp://THIS-MACHINES-NAME:22000"]),
    ],
)
def test_a_laptop_is_given_the_names_that_a_browser_is(environ: dict[str, str], expected: list[str]) -> None:
    assert addresses(from_environ(environ)) == expected


def test_the_steps_hold_the_tunnel_or_the_name_to_fill_in_where_there_is_one(places: Places) -> None:
    pairing = read_pairing(places)
    tunnel = "\n".join(steps(from_environ({"BIND_ADDRESS": "127.0.0.1"}), pairing))
    assert "ssh -N -L 22000:127.0.0.1:22000" in tunnel
    assert "For THIS-MACHINES-NAME" not in tunnel
    nameless = "\n".join(steps(from_environ({}), pairing))
    assert "For THIS-MACHINES-NAME" in nameless
    assert "ssh" not in nameless
    assert "PRIVATE" not in nameless


def test_git_is_left_out_on_the_laptop_unless_it_is_to_come_along(places: Places) -> None:
    def first_line(environ: dict[str, str]) -> list[str]:
        return next(block(from_environ(environ), read_pairing(places))).split()

    assert ".git" in first_line({})
    assert ".git" not in first_line({"SYNC_GIT": "on"})


def test_the_device_s_id_is_shown_as_a_qr_code_too(places: Places, capsys: pytest.CaptureFixture[str]) -> None:
    segno.make(read_pairing(places).device).terminal(compact=True)
    code = capsys.readouterr().out
    places.run.mkdir(parents=True, exist_ok=True)
    write_known_settings(places, {}, has_password=True)
    assert show(places, is_for_another=True) == 0
    assert code in capsys.readouterr().out
