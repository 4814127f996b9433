"""The offer of the authority's certificate: for how long, and in which forms."""

from __future__ import annotations

import plistlib
import time
from argparse import Namespace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import segno
from cryptography import x509

from entrypoint.certificates.authority import make_authority
from entrypoint.certificates.commands import share_ca
from entrypoint.certificates.sharing import MINUTES, STEPS, apple_profile, is_shared, open_sharing
from entrypoint.files.places import Places
from entrypoint.settings.known import write_known_settings
from entrypoint.settings.names import LOCAL_NAMES

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def uptime() -> float:
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def test_it_is_open_from_the_moment_it_is_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "share-ca"
    assert not is_shared(path)
    open_sharing(path)
    assert is_shared(path)
    assert uptime() + MINUTES * 60 - float(path.read_text()) < 10


@pytest.mark.parametrize("seconds", [0, -1, -1e9, MINUTES * 60 + 60, 1e12, float("inf"), float("nan")])
def test_a_time_that_is_over_or_no_ten_minutes_ahead_closes_it(tmp_path: Path, seconds: float) -> None:
    path = tmp_path / "share-ca"
    path.write_text(str(uptime() + seconds))
    assert not is_shared(path)


@pytest.mark.parametrize("text", ["", "soon", "1e", "\0", "1 2"])
def test_a_damaged_file_closes_it(tmp_path: Path, text: str) -> None:
    path = tmp_path / "share-ca"
    path.write_text(text)
    assert not is_shared(path)
    path.unlink()
    path.mkdir()
    assert not is_shared(path)


def shared(places: Places, capsys: pytest.CaptureFixture[str], **environ: str) -> str:
    places.tls.path.mkdir(parents=True)
    places.server_run.mkdir(parents=True)
    places.tls.authority.write_bytes(make_authority(LOCAL_NAMES, NOW).pem)
    write_known_settings(places, environ, has_password=False)
    assert share_ca(places, Namespace(stop=False)) == 0
    return capsys.readouterr().out


def test_a_phone_is_led_to_the_first_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = shared(Places(tmp_path), capsys, SERVER_NAMES="lab.example.org,192.168.1.20", PORT="9999")
    assert "  https://lab.example.org:9999/trust\n  https://192.168.1.20:9999/trust\n" in told
    segno.make("https://lab.example.org:9999/trust").terminal(compact=True)
    assert capsys.readouterr().out in told
    assert share_ca(Places(tmp_path), Namespace(stop=True)) == 0
    assert not is_shared(Places(tmp_path).sharing)
    assert share_ca(Places(tmp_path), Namespace(stop=True)) == 0


@pytest.mark.parametrize(
    ("environ", "words"),
    [
        ({}, ["https://THIS-MACHINES-NAME:8888/trust", "SERVER_NAMES="]),
        ({"BIND_ADDRESS": "127.0.0.1", "SERVER_NAMES": "lab.example.org"}, ["https://localhost:8888/trust", "tunnel"]),
    ],
)
def test_no_phone_is_led_to_where_it_can_t_come(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], environ: dict[str, str], words: list[str]
) -> None:
    told = shared(Places(tmp_path), capsys, **environ)
    assert [word for word in words if word in told] == words
    assert "█" not in told
    assert "lab.example.org:" not in told


def test_the_apple_profile_holds_the_authority_and_keeps_its_identity() -> None:
    authority = make_authority(LOCAL_NAMES, NOW)
    profile = plistlib.loads(apple_profile(authority))
    (payload,) = profile["PayloadContent"]
    assert x509.load_der_x509_certificate(payload["PayloadContent"]) == authority.certificate
    assert profile["PayloadUUID"] != payload["PayloadUUID"]
    # The same authority updates the profile on a device; another one stands beside it.
    assert apple_profile(authority) == apple_profile(authority)
    assert plistlib.loads(apple_profile(make_authority(LOCAL_NAMES, NOW)))["PayloadUUID"] != profile["PayloadUUID"]


def test_every_device_is_given_a_file_that_the_page_serves() -> None:
    assert {each.file for each in STEPS} == {"workhorse-ca.crt", "workhorse-ca.mobileconfig"}
