"""Authority and certificate: what they hold, and when they are made anew."""

from __future__ import annotations

import os
import ssl
import stat
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from entrypoint.certificates.authority import Authority, load_authority, make_authority
from entrypoint.certificates.authority import reason_to_replace as reason_to_replace_authority
from entrypoint.certificates.keeping import keep_certificates
from entrypoint.certificates.leaf import Certificate, load_certificate, make_certificate, reason_to_renew
from entrypoint.files.places import TlsFolder
from entrypoint.settings.names import LOCAL_NAMES, ServerName

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
PUBLIC = ServerName("lab.example.org")
NAMES = (*LOCAL_NAMES, PUBLIC, ServerName("203.0.113.9"), ServerName("fd00::1"))


@pytest.fixture(scope="module")
def authority() -> Authority:
    return make_authority(NAMES, NOW)


@pytest.fixture(scope="module")
def certificate(authority: Authority) -> Certificate:
    return make_certificate(authority, NAMES, NOW)


def test_the_certificate_holds_every_name_for_a_server_on_p256(certificate: Certificate) -> None:
    assert certificate.names == set(NAMES)
    assert isinstance(certificate.key.curve, ec.SECP256R1)
    usage = certificate.leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert timedelta(days=90) < certificate.last_day - certificate.leaf.not_valid_before_utc < timedelta(days=825)


def test_the_authority_signs_servers_of_its_own_names_alone(authority: Authority) -> None:
    extensions = authority.certificate.extensions
    basic = extensions.get_extension_for_class(x509.BasicConstraints)
    assert (basic.critical, basic.value.ca, basic.value.path_length) == (True, True, 0)
    constraints = extensions.get_extension_for_class(x509.NameConstraints)
    assert constraints.critical
    permitted = [str(subtree.value) for subtree in constraints.value.permitted_subtrees or []]
    assert {"localhost", "local", "home.arpa", "lab.example.org", "203.0.113.9/32", "fc00::/7"} <= set(permitted)


@pytest.mark.parametrize("name", [name for name in NAMES if not name.address], ids=str)
def test_a_strict_verifier_accepts_each_name(authority: Authority, certificate: Certificate, name: ServerName) -> None:
    verify(authority, certificate, name)


def test_a_name_outside_the_constraints_is_refused(authority: Authority) -> None:
    foreign = make_certificate(authority, (ServerName("bank.example.com"),), NOW)
    with pytest.raises(VerificationError):
        verify(authority, foreign, ServerName("bank.example.com"))


def verify(authority: Authority, certificate: Certificate, name: ServerName) -> None:
    builder = PolicyBuilder().store(Store([authority.certificate])).time(NOW.replace(tzinfo=None))
    builder.build_server_verifier(x509.DNSName(name.text)).verify(certificate.leaf, [])


@pytest.mark.parametrize(
    ("names", "later", "reason"),
    [
        (NAMES, timedelta(0), None),
        (NAMES, timedelta(days=59), None),
        (NAMES, timedelta(days=61), "its last day is 2027-02-22"),
        (NAMES, timedelta(days=-1), "it is valid only from 2026-11-24 11:00 UTC"),
        ((*NAMES, ServerName("new.local")), timedelta(0), "it doesn't name new.local"),
        (LOCAL_NAMES, timedelta(0), "SERVER_NAMES no longer holds 203.0.113.9, fd00::1, lab.example.org"),
    ],
)
def test_a_certificate_is_renewed_for_a_reason(
    authority: Authority, certificate: Certificate, names: tuple[ServerName, ...], later: timedelta, reason: str | None
) -> None:
    assert reason_to_renew(certificate, authority, names, NOW + later) == reason


def test_a_certificate_of_another_authority_is_renewed(certificate: Certificate) -> None:
    other = make_authority(NAMES, NOW)
    assert reason_to_renew(certificate, other, NAMES, NOW) == "another authority signed it"


@pytest.mark.parametrize(
    ("name", "later", "reason"),
    [
        ("192.168.200.1", timedelta(0), None),
        ("printer.local", timedelta(0), None),
        ("sub.lab.example.org", timedelta(0), None),
        ("notlab.example.org", timedelta(0), "it may not vouch for notlab.example.org"),
        ("198.51.100.1", timedelta(0), "it may not vouch for 198.51.100.1"),
        ("localhost", timedelta(days=4000), "it ended on 2036-11-23"),
        ("localhost", timedelta(days=-4000), "it is valid only from 2016-11-24 12:00 UTC"),
    ],
)
def test_an_authority_is_replaced_for_a_reason(
    authority: Authority, name: str, later: timedelta, reason: str | None
) -> None:
    assert reason_to_replace_authority(authority, (ServerName(name),), NOW + later) == reason


def keep(folder: Path, names: tuple[ServerName, ...] = (PUBLIC,), now: datetime = NOW) -> tuple[list[str], TlsFolder]:
    said: list[str] = []
    files = TlsFolder(folder / "tls")
    keep_certificates(files, names, now, said.append)
    return said, files


def test_what_serves_is_kept_without_a_word(tmp_path: Path) -> None:
    said, files = keep(tmp_path)
    before = files.server.read_bytes(), files.authority.read_bytes()
    assert said == []
    assert keep(tmp_path, now=NOW + timedelta(days=59))[0] == []
    assert (files.server.read_bytes(), files.authority.read_bytes()) == before


def test_files_are_for_their_owner_alone_and_load_as_a_pair(tmp_path: Path) -> None:
    _, files = keep(tmp_path)
    assert stat.S_IMODE(files.path.stat().st_mode) == 0o700
    for file in files.path.iterdir():
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.server)


def test_a_renewal_keeps_the_authority_that_devices_trust(tmp_path: Path) -> None:
    _, files = keep(tmp_path)
    trusted = files.authority.read_bytes()
    said, _ = keep(tmp_path, (PUBLIC, ServerName("192.168.1.9")))
    assert said == ["The server gets a new certificate. The old one: it doesn't name 192.168.1.9."]
    assert files.authority.read_bytes() == trusted


def test_a_new_public_name_makes_a_new_authority_and_keeps_the_old_one(tmp_path: Path) -> None:
    _, files = keep(tmp_path)
    old = files.authority.read_bytes()
    said, _ = keep(tmp_path, (PUBLIC, ServerName("new.example.com")))
    assert "it may not vouch for new.example.com" in said[0]
    assert (files.path / "authority.pem.set-aside-1").read_bytes() == old
    authority = load_authority(files.authority.read_bytes())
    assert reason_to_renew(load_certificate(files.server.read_bytes()), authority, (*LOCAL_NAMES, PUBLIC,
                           ServerName("new.example.com")), NOW) is None  # fmt: skip


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "kept").touch()


DAMAGE: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:100]),
    "half": lambda path: path.write_bytes(path.read_bytes()[:260]),
    "empty": lambda path: path.write_bytes(b""),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "directory": make_directory,
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
@pytest.mark.parametrize("file", ["authority.pem", "server.pem"])
def test_a_damaged_file_is_set_aside_and_made_anew(tmp_path: Path, file: str, damage: Callable[[Path], object]) -> None:
    _, files = keep(tmp_path)
    damage(files.path / file)
    said, _ = keep(tmp_path)
    assert said[0].startswith(f"{files.path / file} can't be used (")
    assert (files.path / f"{file}.set-aside-1").exists()
    assert keep(tmp_path)[0] == []
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.server)


@pytest.mark.parametrize("target", [None, "/nowhere", "kept"])
def test_a_tls_folder_that_is_none_is_set_aside(tmp_path: Path, target: str | None) -> None:
    _, files = keep(tmp_path)
    files.path.rename(tmp_path / "kept")
    files.path.symlink_to(target) if target else files.path.write_text("a file")
    assert keep(tmp_path)[0] == []
    assert files.path.is_dir() and not files.path.is_symlink()
    assert os.path.lexists(tmp_path / "tls.set-aside-1")
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(files.server)


def test_a_mismatched_pair_is_made_anew(tmp_path: Path, authority: Authority) -> None:
    _, files = keep(tmp_path)
    one, other = (make_certificate(authority, NAMES, NOW).pem for _ in range(2))
    end_of_key = b"-----END PRIVATE KEY-----\n"
    files.server.write_bytes(one.split(end_of_key)[0] + end_of_key + other.split(end_of_key)[1])
    said, _ = keep(tmp_path)
    assert "don't belong together" in said[0]


def test_a_key_that_stood_open_to_others_is_closed(tmp_path: Path) -> None:
    _, files = keep(tmp_path)
    files.server.chmod(0o644)
    keep(tmp_path)
    assert stat.S_IMODE(files.server.stat().st_mode) == 0o600


def test_a_clock_set_back_and_forth_still_gives_a_certificate_that_serves(tmp_path: Path) -> None:
    for now in (NOW, NOW - timedelta(days=400), NOW + timedelta(days=800)):
        _, files = keep(tmp_path, now=now)
        authority = load_authority(files.authority.read_bytes())
        assert reason_to_replace_authority(authority, LOCAL_NAMES, now) is None
        assert load_certificate(files.server.read_bytes()).last_day > now
