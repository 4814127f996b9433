"""A certificate of any origin: what it covers, whether it counts now, who trusts it, and why not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from entrypoint.certificates.served import (
    ServedCertificate,
    is_publicly_trusted,
    read_pair,
    reason_against_now,
    reason_incomplete,
)
from entrypoint.settings.names import ServerName
from tests.pki import Pair, University

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
NAMES = ["lab.example.org", "*.students.example.org"]


@pytest.fixture(scope="module")
def university() -> University:
    return University(NOW)


@pytest.fixture(scope="module")
def pair(university: University) -> Pair:
    return university.issue(NAMES)


def read(pair: Pair) -> ServedCertificate:
    return read_pair(pair.chain_pem, pair.key_pem())


def test_what_is_written_is_what_was_read(pair: Pair) -> None:
    certificate = read(pair)
    assert read_pair(certificate.pem, certificate.pem) == certificate
    assert certificate.chain == pair.chain
    assert b"PRIVATE" not in repr(certificate).encode()


@pytest.mark.parametrize(
    ("name", "is_covered"),
    [
        ("lab.example.org", True),
        ("ann.students.example.org", True),
        ("students.example.org", False),
        ("a.b.students.example.org", False),
        ("other.example.org", False),
        ("org", False),
        ("", False),
    ],
)
def test_a_wildcard_stands_for_one_label(pair: Pair, name: str, is_covered: bool) -> None:
    assert read(pair).covers(name) is is_covered


def test_the_uncovered_names_are_listed(pair: Pair) -> None:
    names = [ServerName("lab.example.org"), ServerName("desk.example.org")]
    assert read(pair).uncovered(names) == ["desk.example.org"]


def test_each_fault_of_a_pair_has_its_words(university: University, pair: Pair) -> None:
    key, chain = pair.key_pem(), pair.chain_pem
    turned = Pair(tuple(reversed(pair.chain)), pair.key).chain_pem
    crooked = Pair((pair.chain[0], university.root, university.between), pair.key).chain_pem
    faults = {
        (chain, pair.key_pem(b"a password")): "the key is encrypted",
        (chain, b""): "the key is not PEM text",
        (chain, chain): "in the key's place stands a certificate",
        (chain, key[:100]): "the key is not PEM text",
        (key, key): "the certificate is not PEM text",
        (chain[:200], key): "the certificate is not PEM text",
        (chain, university.issue(NAMES).key_pem()): "key and certificate don't match",
        (turned, key): "doesn't stand first in its chain",
        (crooked, key): "'University root' did not sign 'lab.example.org' above it",
    }
    for (chain_pem, key_pem), words in faults.items():
        with pytest.raises(ValueError, match=words):
            read_pair(chain_pem, key_pem)


def test_it_counts_from_its_first_moment_to_before_its_last(pair: Pair) -> None:
    certificate = read(pair)
    first, last = certificate.leaf.not_valid_before_utc, certificate.last_day
    moment = timedelta(seconds=1)
    assert reason_against_now(certificate, first) is None
    assert reason_against_now(certificate, last - moment) is None
    assert "valid only from 2026-11-23 12:00 UTC" in str(reason_against_now(certificate, first - moment))
    assert "ended on 2027-01-23 12:00 UTC" in str(reason_against_now(certificate, last))


def test_a_leaf_alone_is_called_incomplete(university: University, pair: Pair) -> None:
    assert "'lab.example.org'" in str(reason_incomplete(read(Pair(pair.chain[:1], pair.key))))
    assert "University root" in str(reason_incomplete(read(pair)))
    assert reason_incomplete(read(Pair((*pair.chain, university.root), pair.key))) is None


def test_only_a_name_that_a_known_root_vouches_for_is_publicly_trusted(university: University, pair: Pair) -> None:
    certificate, roots = read(pair), [university.root]
    assert is_publicly_trusted(certificate, "lab.example.org", NOW, roots)
    assert is_publicly_trusted(certificate, "ann.students.example.org", NOW, roots)
    assert not is_publicly_trusted(certificate, "other.example.org", NOW, roots)
    assert not is_publicly_trusted(certificate, "lab.example.org", NOW + timedelta(days=61), roots)
    assert not is_publicly_trusted(certificate, "lab.example.org", NOW, [University(NOW).root])
    assert not is_publicly_trusted(certificate, "lab.example.org", NOW, [])
    assert not is_publicly_trusted(read(Pair(pair.chain[:1], pair.key)), "lab.example.org", NOW, roots)


def test_this_machines_own_roots_do_not_know_the_university(pair: Pair) -> None:
    assert not is_publicly_trusted(read(pair), "lab.example.org", NOW)
