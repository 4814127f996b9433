"""Which certificate serves which name: the order, and what falls out of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrypoint.certificates.authority import make_authority
from entrypoint.certificates.leaf import make_certificate
from entrypoint.certificates.serving import OWN, PRIVATE, PUBLIC, Source, describe, find_sources, source_for
from entrypoint.files.places import TlsFolder
from entrypoint.settings.names import LOCAL_NAMES, ServerName
from tests.pki import Pair, University

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
LAB, DESK, ADDRESS = map(ServerName, ("lab.example.org", "desk.example.org", "192.168.1.20"))
NAMES = (LAB, DESK, ADDRESS)


@pytest.fixture(scope="module")
def university() -> University:
    return University(NOW)


@pytest.fixture
def folder(tmp_path: Path) -> TlsFolder:
    """With the private authority's certificate for every name."""
    folder, names = TlsFolder(tmp_path), (*LOCAL_NAMES, *NAMES)
    folder.server.write_bytes(make_certificate(make_authority(names, NOW), names, NOW).pem)
    return folder


def write(path: Path, pair: Pair) -> None:
    path.write_bytes(pair.key_pem() + pair.chain_pem)


def kinds(folder: TlsFolder, has_own: bool = True, now: datetime = NOW) -> list[str]:
    return [source.kind for source in find_sources(folder, has_own, (LAB, DESK), now)]


def test_the_own_comes_before_the_public_before_the_private(folder: TlsFolder, university: University) -> None:
    write(folder.own, university.issue(["lab.example.org"]))
    write(folder.public("lab.example.org"), university.issue(["lab.example.org"]))
    write(folder.public("desk.example.org"), university.issue(["desk.example.org"]))
    assert kinds(folder) == [OWN, PUBLIC, PUBLIC, PRIVATE]
    assert kinds(folder, has_own=False) == [PUBLIC, PUBLIC, PRIVATE]
    sources = list(find_sources(folder, True, (LAB, DESK), NOW))
    assert [source.kind for name in NAMES if (source := source_for(name.text, sources))] == [OWN, PUBLIC, PRIVATE]
    assert source_for("elsewhere.example.org", sources) is None


def test_what_is_expired_or_coming_or_damaged_or_missing_does_not_count(
    folder: TlsFolder, university: University
) -> None:
    assert kinds(folder) == [PRIVATE]
    write(folder.own, university.issue(["lab.example.org"], to_day=1))
    write(folder.public("lab.example.org"), university.issue(["lab.example.org"], from_day=1))
    folder.public("desk.example.org").mkdir()
    assert kinds(folder) == [OWN, PRIVATE]
    assert kinds(folder, now=NOW + timedelta(days=1)) == [PUBLIC, PRIVATE]
    folder.own.write_bytes(folder.own.read_bytes()[:500])
    assert kinds(folder) == [PRIVATE]


def test_a_browser_gets_the_private_one_at_an_address(folder: TlsFolder, university: University) -> None:
    write(folder.own, university.issue(["lab.example.org"]))
    sources = list(find_sources(folder, True, (), NOW))
    own, private = describe(NAMES, sources)
    assert (own.names, own.last_day) == (("lab.example.org",), "2027-01-23")
    assert private.names == ("desk.example.org", "192.168.1.20", "localhost", "127.0.0.1", "::1")


def test_an_own_certificate_is_shown_with_its_names_where_server_names_holds_none(
    folder: TlsFolder, university: University
) -> None:
    write(folder.own, university.issue(["elsewhere.example.org", "*.there.example.org"]))
    sources: list[Source] = list(find_sources(folder, True, (), NOW))
    own, private = describe(NAMES, sources)
    assert own.names == ("*.there.example.org", "elsewhere.example.org")
    assert set(private.names) >= {name.text for name in NAMES}


def test_a_source_that_serves_no_name_is_not_shown(folder: TlsFolder, university: University) -> None:
    write(folder.own, university.issue(["lab.example.org"]))
    write(folder.public("lab.example.org"), university.issue(["lab.example.org"]))
    sources: list[Source] = list(find_sources(folder, True, (LAB,), NOW))
    assert len(sources) == 3
    assert [served.kind for served in describe(NAMES, sources)] == [OWN, PRIVATE]
