"""A company's authority as Python 3.13 judges it."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from entrypoint.certificates.company import company_warnings
from tests.pki import University

KEY = ec.generate_private_key(ec.SECP256R1())
NAME = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Lentils Ltd")])
USAGE = x509.KeyUsage(False, False, False, False, False, True, True, False, False)


def builder_of(subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
    begins = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(NAME, subject, key, x509.random_serial_number())
    return builder.not_valid_before(begins).not_valid_after(begins + timedelta(days=9))


def leaf() -> bytes:
    """A server's certificate, sound in itself."""
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "intranet")])
    identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(KEY.public_key())
    return signed(builder_of(subject, key).add_extension(identifier, critical=False))


def signed(builder: x509.CertificateBuilder) -> bytes:
    return builder.sign(KEY, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def root(has_usage: bool, is_critical: bool, has_identifier: bool) -> bytes:
    builder = builder_of(NAME, KEY.public_key())
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=is_critical)
    if has_usage:
        builder = builder.add_extension(USAGE, critical=True)
    if has_identifier:
        builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(KEY.public_key()), critical=False)
    return signed(builder)


@pytest.mark.parametrize(
    ("has_usage", "is_critical", "has_identifier", "lacking"),
    [
        (True, True, True, ""),
        (False, True, True, "CN=Lentils Ltd lacks keyUsage."),
        (True, False, True, "CN=Lentils Ltd lacks a critical basicConstraints."),
        (True, True, False, "CN=Lentils Ltd lacks a subject key identifier."),
    ],
)
def test_what_openssl_refuses_when_it_is_strict_is_told(
    tmp_path: Path, has_usage: bool, is_critical: bool, has_identifier: bool, lacking: str
) -> None:
    public, bundle, own = tmp_path / "public.pem", tmp_path / "bundle.pem", tmp_path / "own.pem"
    public.write_text(University().root_pem)
    own.write_bytes(root(has_usage, is_critical, has_identifier))
    bundle.write_bytes(public.read_bytes() + b"\n" + own.read_bytes())
    told = list(company_warnings(bundle, datetime.now(UTC), public))
    (tmp_path / "leaf.pem").write_bytes(leaf())
    command = ["openssl", "verify", "-x509_strict", "-partial_chain", "-CAfile", str(own), str(tmp_path / "leaf.pem")]
    accepted = subprocess.run(command, capture_output=True, check=False).returncode == 0
    assert (told == []) == accepted == (lacking == "")
    assert [lacking in each for each in told] == [True] * len(told)


def test_nothing_is_told_of_public_ones_or_where_there_is_no_company_s(tmp_path: Path) -> None:
    public, bundle = tmp_path / "public.pem", tmp_path / "bundle.pem"
    public.write_bytes(root(has_usage=False, is_critical=True, has_identifier=True))
    assert list(company_warnings(bundle, datetime.now(UTC), public)) == []
    bundle.write_bytes(public.read_bytes())
    assert list(company_warnings(bundle, datetime.now(UTC), public)) == []


def test_nothing_is_told_of_one_that_has_ended(tmp_path: Path) -> None:
    public, bundle = tmp_path / "public.pem", tmp_path / "bundle.pem"
    public.touch()
    bundle.write_bytes(root(has_usage=False, is_critical=True, has_identifier=True))
    assert list(company_warnings(bundle, datetime.now(UTC), public))
    assert list(company_warnings(bundle, datetime.now(UTC) + timedelta(days=30), public)) == []
