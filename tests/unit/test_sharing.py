"""The offer of the authority's certificate: for how long, and in which forms."""

from __future__ import annotations

import plistlib
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509

from entrypoint.authority import make_authority
from entrypoint.names import LOCAL_NAMES
from entrypoint.sharing import MINUTES, STEPS, apple_profile, is_shared, open_sharing

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
