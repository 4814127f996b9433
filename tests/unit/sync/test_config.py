"""Syncthing's configuration, and what stays where it is."""

from __future__ import annotations

from pathlib import Path
from xml.etree.ElementTree import Element, fromstring

import pytest

from entrypoint.files.places import Places
from entrypoint.sync.config import config_xml
from entrypoint.sync.ignores import HEAD, NAME, keep_ignores, patterns
from entrypoint.system.pairing import Laptop, Pairing
from tests.unit.laptops.test_device_id import ID, OTHER

PAIRING = Pairing(ID, "certificate", "a key", "workhorse-74dq62x", (Laptop(OTHER, 'ada\'s <"laptop">'),))


def configured(discovery: bool = False) -> Element:
    return fromstring(config_xml(PAIRING, Places(), discovery))  # noqa: S314  # our own text


def test_it_knows_whom_a_person_paired_and_nobody_else() -> None:
    root = configured()
    assert [(each.get("id"), each.get("name")) for each in root.findall("device")] == [
        (ID, "workhorse"),
        (OTHER, 'ada\'s <"laptop">'),
    ]
    assert [each.get("id") for each in root.findall("folder/device")] == [ID, OTHER]
    assert b"a key" not in config_xml(PAIRING, Places(), False)


def test_its_page_is_on_the_socket_alone() -> None:
    assert configured().findtext("gui/address") == "/run/sync/socket"


@pytest.mark.parametrize("discovery", [False, True])
def test_it_calls_nobody_unless_it_is_told_to(discovery: bool) -> None:
    options = configured(discovery)
    told = "true" if discovery else "false"
    assert {options.findtext(f"options/{name}") for name in ("globalAnnounceEnabled", "relaysEnabled")} == {told}
    assert options.findtext("options/listenAddress") == "tcp://:22000"
    assert len(options.findall("options/listenAddress")) == 1 + discovery
    for name in ("localAnnounceEnabled", "natEnabled", "crashReportingEnabled"):
        assert options.findtext(f"options/{name}") == "false"


def test_git_is_taken_along_when_it_is_asked_for_and_environments_never() -> None:
    assert ".git" in patterns(with_git=False)
    assert ".git" not in patterns(with_git=True)
    for with_git in (False, True):
        assert {".venv", "venv", "node_modules"} <= set(patterns(with_git))


def test_the_patterns_follow_the_setting_and_leave_a_person_s_own(tmp_path: Path) -> None:
    file = tmp_path / NAME
    keep_ignores(tmp_path, with_git=False)
    assert file.read_text().splitlines() == [HEAD, *patterns(with_git=False)]
    keep_ignores(tmp_path, with_git=True)
    assert ".git" not in file.read_text().splitlines()
    file.write_text("big-data\n")
    keep_ignores(tmp_path, with_git=False)
    assert file.read_text() == "big-data\n"


def test_a_link_or_folder_in_their_place_is_left_alone(tmp_path: Path) -> None:
    target, file = tmp_path / "target", tmp_path / NAME
    target.write_text(HEAD)
    file.symlink_to(target)
    keep_ignores(tmp_path, with_git=True)
    assert file.is_symlink()
    assert target.read_text() == HEAD
    file.unlink()
    file.mkdir()
    keep_ignores(tmp_path, with_git=True)
    assert file.is_dir()
