"""Other machines of the cluster: what each is given, until when, and that it can be taken back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509

from entrypoint.certificates.authority import has_signed, load_authority
from entrypoint.certificates.cluster import BOTH_SIDES, keep_cluster
from entrypoint.certificates.leaf import load_certificate
from entrypoint.certificates.machines import VALIDITY_DAYS, admit, keep_revocations, read_machines, remove
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places

NOW = datetime(2026, 11, 29, tzinfo=UTC)
LATER = NOW + timedelta(days=VALIDITY_DAYS)


def with_cluster(root: Path) -> Places:
    """Where the door's start has made a cluster's authority."""
    places = Places(root)
    for folder in (places.cluster_authority.parent, places.cluster.path):
        folder.mkdir(parents=True)
    keep_cluster(places, NOW, pytest.fail)
    return places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    return with_cluster(tmp_path)


def revoked(places: Places) -> set[int]:
    revocations = x509.load_pem_x509_crl(places.cluster.revoked.read_bytes())
    authority = load_authority(places.cluster_authority.read_bytes())
    assert revocations.is_signature_valid(authority.certificate.public_key())  # type: ignore[arg-type]
    assert revocations.next_update_utc == authority.certificate.not_valid_after_utc
    return {each.serial_number for each in revocations}


def test_a_machine_gets_a_pair_that_ends_by_itself_and_no_authority_s_key(places: Places) -> None:
    bundle, authority = admit(places, "bigmem", NOW), load_authority(places.cluster_authority.read_bytes())
    pair = load_certificate(bundle.pair)
    assert has_signed(authority, pair.leaf)
    assert pair.last_day == bundle.ends == LATER
    assert list(pair.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == list(BOTH_SIDES)
    assert bundle.authority == authority.certificate_pem
    assert oct(places.cluster_machines.stat().st_mode & 0o777) == "0o600"
    assert b"PRIVATE" not in places.cluster_machines.read_bytes()
    assert not places.cluster.revoked.exists()


def test_all_pairs_of_a_machine_are_taken_back_and_no_other_s(places: Places) -> None:
    first, second, _ = (load_certificate(admit(places, name, NOW).pair) for name in ("bigmem", "bigmem", "other"))
    remove(places, "bigmem", NOW)
    assert revoked(places) == {first.leaf.serial_number, second.leaf.serial_number}
    third = load_certificate(admit(places, "bigmem", NOW).pair)
    assert third.leaf.serial_number not in revoked(places)


def test_an_unknown_machine_is_told_with_those_that_are_known(places: Places) -> None:
    admit(places, "bigmem", NOW)
    with pytest.raises(WorkhorseError, match=r"No machine 'other' may join this cluster\. Those that may: bigmem\."):
        remove(places, "other", NOW)
    remove(places, "bigmem", NOW)
    with pytest.raises(WorkhorseError, match=r"Those that may: none\."):
        remove(places, "other", NOW)


def test_a_start_signs_what_was_taken_back_by_a_new_authority_too(places: Places) -> None:
    pair = load_certificate(admit(places, "bigmem", NOW).pair)
    remove(places, "bigmem", NOW)
    places.cluster_authority.unlink()
    keep_cluster(places, NOW, pytest.fail)
    keep_revocations(places, NOW, pytest.fail)
    assert revoked(places) == {pair.leaf.serial_number}


def test_what_has_ended_by_itself_is_forgotten(places: Places) -> None:
    admit(places, "bigmem", NOW)
    remove(places, "bigmem", NOW)
    assert read_machines(places, LATER) == ()
    keep_revocations(places, LATER, pytest.fail)
    assert not places.cluster.revoked.exists()


@pytest.mark.parametrize(
    "text", ["", "[1]", '[{"name": "a"}]', '[{"name": "a", "serial": "x", "ends": "", "is_removed": 0}]']
)
def test_a_damaged_list_is_told_and_holds_up_no_start(places: Places, text: str) -> None:
    places.cluster.revoked.write_text("kept")
    places.cluster_machines.write_text(text)
    said: list[str] = []
    keep_revocations(places, NOW, said.append)
    assert "machines.json can't be read" in said[0]
    assert places.cluster.revoked.read_text() == "kept"
    with pytest.raises(WorkhorseError, match="a new authority"):
        admit(places, "bigmem", NOW)


def test_without_a_cluster_nothing_is_kept(tmp_path: Path) -> None:
    keep_revocations(Places(tmp_path), NOW, pytest.fail)
    assert list(tmp_path.iterdir()) == []
