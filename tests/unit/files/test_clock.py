"""A clock that jumps: the server always has a certificate for its time, and all is as before when the time is."""

from __future__ import annotations

import logging
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrypoint.certificates.authority import load_authority
from entrypoint.certificates.keeping import keep_certificates
from entrypoint.certificates.leaf import load_certificate
from entrypoint.files.places import Places, TlsFolder
from entrypoint.renewal.attempts import Attempt
from entrypoint.renewal.keeper import CertificateKeeper
from entrypoint.renewal.plan import Plan
from entrypoint.settings.names import ServerName
from entrypoint.strangers.limiter import WAIT_SECONDS_MAX, Limiter

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
YEAR = timedelta(days=365)
NAMES = (ServerName("lab.example.org"),)
JUMPS = pytest.mark.parametrize("jump", [YEAR, -YEAR, 3 * YEAR, -3 * YEAR], ids=lambda jump: f"{jump.days} days")
YEAR_SECONDS = YEAR.total_seconds()


def assert_serves(folder: TlsFolder, now: datetime) -> None:
    """The pair on disk loads, and both of its certificates are valid at that time."""
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(folder.server)
    authority, leaf = load_authority(folder.authority.read_bytes()), load_certificate(folder.server.read_bytes()).leaf
    leaf.verify_directly_issued_by(authority.certificate)
    for each in (authority.certificate, leaf):
        assert each.not_valid_before_utc <= now < each.not_valid_after_utc


@JUMPS
def test_starts_at_a_wrong_time_keep_the_authority_that_devices_trust(tmp_path: Path, jump: timedelta) -> None:
    folder = TlsFolder(tmp_path / "tls")
    keep_certificates(folder, NAMES, NOW, print)
    trusted = folder.authority.read_bytes()
    for now in (NOW + jump, NOW, NOW):
        said: list[str] = []
        keep_certificates(folder, NAMES, now, said.append)
        assert_serves(folder, now)
        assert folder.authority.read_bytes() == trusted
    assert said == []


@JUMPS
def test_a_running_server_swaps_its_certificate_when_the_clock_jumps_and_returns(
    tmp_path: Path, jump: timedelta
) -> None:
    places = Places(tmp_path)
    places.tls.path.mkdir(parents=True)
    served: list[ssl.SSLContext] = []
    keeper = CertificateKeeper(Plan(NAMES), places, served.append, logging.getLogger("clock"))
    for number, now in enumerate((NOW, NOW + jump, NOW), 1):
        keeper.look(now)
        assert_serves(places.tls, now)
        assert len(served) == number
        assert keeper.sources[0].certificate.leaf == load_certificate(places.tls.server.read_bytes()).leaf
    keeper.look(NOW + timedelta(seconds=1))
    assert len(served) == 3


@pytest.mark.parametrize("jump", [YEAR, -YEAR], ids=["ahead", "back"])
def test_an_attempt_planned_under_a_wrong_clock_is_due_when_it_is_right(jump: timedelta) -> None:
    planned_wrongly = Attempt((NOW + jump + timedelta(hours=12)).isoformat())
    assert planned_wrongly.is_due(NOW)
    planned = Attempt((NOW + timedelta(hours=12)).isoformat())
    assert not planned.is_due(NOW)
    assert planned.is_due(NOW + jump)


def test_a_limiter_whose_clock_jumps_holds_nobody_up_for_longer_than_it_says() -> None:
    limiter = Limiter()
    for _ in range(5):
        limiter.begin("203.0.113.7", 0.0)
    waited = limiter.wait_seconds("203.0.113.7", 0.0)
    assert 0 < waited <= WAIT_SECONDS_MAX
    # Back: it counts as standing still, which unlocks nobody early.
    assert limiter.wait_seconds("203.0.113.7", -YEAR_SECONDS) == waited
    # A year ahead: all is forgiven; and back again: nobody waits for a year.
    assert limiter.wait_seconds("203.0.113.7", YEAR_SECONDS) == 0
    assert limiter.begin("203.0.113.7", 0.0) == 0
    assert limiter.wait_seconds("203.0.113.7", 0.0) <= WAIT_SECONDS_MAX
