"""The cluster's authority and pair: made once, kept, made anew when they end, and no more handed on than is needed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from entrypoint.certificates.authority import VALIDITY_DAYS, has_signed, load_authority
from entrypoint.certificates.cluster import BOTH_SIDES, keep_cluster
from entrypoint.certificates.leaf import load_certificate
from entrypoint.files.places import Places
from entrypoint.files.private import Owner
from entrypoint.system.handover import hand_over_cluster

NOW = datetime(2026, 11, 29, tzinfo=UTC)
SELF = Owner(os.getuid(), os.getgid())


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.cluster_authority.parent, places.cluster.path, places.run):
        folder.mkdir(parents=True)
    return places


def kept(places: Places, now: datetime) -> tuple[list[bytes], list[str]]:
    said: list[str] = []
    keep_cluster(places, now, said.append)
    files = (places.cluster_authority, places.cluster.authority, places.cluster.pair)
    assert [oct(file.stat().st_mode & 0o777) for file in files] == ["0o600"] * 3
    return [file.read_bytes() for file in files], said


def test_the_pair_is_the_authority_s_for_both_sides_and_signs_nothing(places: Places) -> None:
    (authority_pem, certificate_pem, pair_pem), said = kept(places, NOW)
    authority, pair = load_authority(authority_pem), load_certificate(pair_pem)
    assert said == []
    assert has_signed(authority, pair.leaf)
    assert list(pair.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == list(BOTH_SIDES)
    assert not pair.leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert pair.last_day == authority.certificate.not_valid_after_utc
    assert b"PRIVATE KEY" not in certificate_pem


def test_both_are_kept_for_as_long_as_they_last(places: Places) -> None:
    first, _ = kept(places, NOW)
    assert kept(places, NOW + timedelta(days=VALIDITY_DAYS - 1)) == (first, [])
    later, said = kept(places, NOW + timedelta(days=VALIDITY_DAYS + 1))
    assert not set(first) & set(later)
    assert "it ended on" in said[0]


def test_without_a_cluster_nothing_is_made(tmp_path: Path) -> None:
    keep_cluster(Places(tmp_path), NOW, pytest.fail)
    hand_over_cluster(Places(tmp_path), SELF, pytest.fail)
    assert list(tmp_path.iterdir()) == []


def test_the_person_gets_a_copy_without_the_authority_s_key(places: Places) -> None:
    said: list[str] = []
    hand_over_cluster(places, SELF, said.append)
    assert "docker compose up -d" in said[0]
    (key, *files), _ = kept(places, NOW)
    for _ in range(2):
        hand_over_cluster(places, SELF, pytest.fail)
    copies = sorted(places.own_cluster.path.iterdir())
    assert [copy.read_bytes() for copy in copies] == files
    assert key not in files
    assert [oct(copy.stat().st_mode & 0o777) for copy in copies] == ["0o600"] * 2
