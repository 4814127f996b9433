"""The server's certificate: the leaf that the private authority signs for every name of the server."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from entrypoint.certificates.authority import BACKDATE, Authority, has_signed, key_pem
from entrypoint.settings.names import ServerName

# As long as the public authorities' own have been: short enough for a stolen key to lose its worth.
VALIDITY_DAYS = 90
RENEWAL_DAYS = 30
SERVER = (ExtendedKeyUsageOID.SERVER_AUTH,)


@dataclass(frozen=True)
class Certificate:
    """A leaf certificate and its private key."""

    leaf: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def last_day(self) -> datetime:
        return self.leaf.not_valid_after_utc

    @property
    def names(self) -> set[ServerName]:
        alternative = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        texts = [*alternative.get_values_for_type(x509.DNSName)]
        texts += map(str, alternative.get_values_for_type(x509.IPAddress))
        return set(map(ServerName, texts))

    @property
    def pem(self) -> bytes:
        """Key and leaf in one text, so that one rename replaces both."""
        return key_pem(self.key) + self.leaf.public_bytes(serialization.Encoding.PEM)


def make_certificate(
    authority: Authority,
    names: tuple[ServerName, ...],
    now: datetime,
    validity_days: int = VALIDITY_DAYS,
    usages: Sequence[x509.ObjectIdentifier] = SERVER,
) -> Certificate:
    """A fresh key, and a certificate for all names, signed by the authority and over with it."""
    key = ec.generate_private_key(ec.SECP256R1())
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Workhorse")]))
        .issuer_name(authority.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - BACKDATE, authority.certificate.not_valid_before_utc))
        .not_valid_after(min(now + timedelta(days=validity_days), authority.certificate.not_valid_after_utc))
    )
    extended = _with_extensions(builder, key, authority, names)
    # Apple (support.apple.com/103769) wants it said that the certificate is a server's.
    extended = extended.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
    return Certificate(extended.sign(authority.key, hashes.SHA256()), key)


def _with_extensions(
    builder: x509.CertificateBuilder,
    key: ec.EllipticCurvePrivateKey,
    authority: Authority,
    names: tuple[ServerName, ...],
) -> x509.CertificateBuilder:
    issuer_key = authority.certificate.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return (
        builder.add_extension(x509.SubjectAlternativeName(map(_general_name, names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False)
    )


def _general_name(name: ServerName) -> x509.GeneralName:
    return x509.IPAddress(name.address) if name.address else x509.DNSName(name.text)


def load_certificate(pem: bytes) -> Certificate:
    """Reads a pair back.

    Raises:
        ValueError: The text is not a matching pair of key and certificate.
    """
    key = serialization.load_pem_private_key(pem, password=None)
    leaf = x509.load_pem_x509_certificate(pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != leaf.public_key():
        raise ValueError("its key and its certificate don't belong together")
    certificate = Certificate(leaf, key)
    _ = certificate.names  # one without can't be judged
    return certificate


def reason_to_renew(
    certificate: Certificate, authority: Authority, names: tuple[ServerName, ...], now: datetime
) -> str | None:
    """Why a certificate should be made anew, as the end of a sentence; None if it serves."""
    if not has_signed(authority, certificate.leaf):
        return "another authority signed it"
    if now < certificate.leaf.not_valid_before_utc:
        return f"it is valid only from {certificate.leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    # Near the authority's own end no later day is to be had.
    is_short = certificate.last_day < authority.certificate.not_valid_after_utc
    if is_short and certificate.last_day - now < timedelta(days=RENEWAL_DAYS):
        return f"its last day is {certificate.last_day:%Y-%m-%d}"
    if missing := [name.text for name in names if name not in certificate.names]:
        return f"it doesn't name {', '.join(missing)}"
    if surplus := sorted(name.text for name in certificate.names - set(names)):
        return f"SERVER_NAMES no longer holds {', '.join(surplus)}"
    return None
