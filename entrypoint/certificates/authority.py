"""The private authority: it signs the server's certificate, and vouches for the server's own names alone."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from entrypoint.settings.names import ServerName

TITLE = "Workhorse private authority"
VALIDITY_DAYS = 3652
# A device's clock may be behind the server's.
BACKDATE = timedelta(hours=1)
# A small machine without a battery starts at the time of its last release until it reaches a time server. The authority
# has to count then too: a new one would have to be trusted anew on every device.
AUTHORITY_BACKDATE = timedelta(days=3652)
# What a home or laboratory network uses (RFC 1918, 4193, 6598, 6762, 8375): with these permitted from the start, an
# address can change without a new import on every device.
PERMITTED_NAMES = ("localhost", "local", "home.arpa")
PERMITTED_NETWORKS = tuple(
    map(
        ipaddress.ip_network,
        ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "127.0.0.0/8", "::1/128", "fc00::/7"),
    )
)


@dataclass(frozen=True)
class Authority:
    """A certificate authority's certificate and private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def fingerprint(self) -> str:
        """SHA-256 over the certificate, as browsers show it: pairs of hexadecimal digits with colons."""
        return self.certificate.fingerprint(hashes.SHA256()).hex(":").upper()

    @property
    def made(self) -> datetime:
        return self.certificate.not_valid_before_utc + AUTHORITY_BACKDATE

    @property
    def certificate_pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def pem(self) -> bytes:
        """Key and certificate in one text, so that one rename replaces both."""
        return key_pem(self.key) + self.certificate_pem


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def make_authority(names: tuple[ServerName, ...], now: datetime, title: str = TITLE) -> Authority:
    """A new authority, constrained to the local names and networks and to the given names."""
    key = ec.generate_private_key(ec.SECP256R1())
    # The day in the name tells two authorities apart in a device's list.
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{title} {now:%Y-%m-%d}")])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - AUTHORITY_BACKDATE)
        .not_valid_after(now + timedelta(days=VALIDITY_DAYS))
    )
    return Authority(_with_extensions(builder, key.public_key(), names).sign(key, hashes.SHA256()), key)


def _with_extensions(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePublicKey, names: tuple[ServerName, ...]
) -> x509.CertificateBuilder:
    return (
        builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.NameConstraints(_permitted(names), excluded_subtrees=None), critical=True)
    )


def _key_usage() -> x509.KeyUsage:
    return x509.KeyUsage(
        key_cert_sign=True,
        crl_sign=True,
        digital_signature=False,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _permitted(names: tuple[ServerName, ...]) -> list[x509.GeneralName]:
    dns_names = [*PERMITTED_NAMES, *(name.text for name in names if not name.address)]
    addresses = [ipaddress.ip_network(name.address) for name in names if name.address]
    return [
        *map(x509.DNSName, dict.fromkeys(dns_names)),
        *map(x509.IPAddress, dict.fromkeys([*PERMITTED_NETWORKS, *addresses])),
    ]


def load_authority(pem: bytes) -> Authority:
    """Reads an authority back.

    Raises:
        ValueError: The text is not a matching pair of key and authority certificate.
    """
    try:
        return _read_authority(pem)
    except ValueError:
        raise
    # cryptography has more errors than that for what is not a certificate, or an unusual one.
    except Exception as error:
        raise ValueError(f"it is of a kind that is unknown here ({error})") from None


def _read_authority(pem: bytes) -> Authority:
    key = serialization.load_pem_private_key(pem, password=None)
    certificate = x509.load_pem_x509_certificate(pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise ValueError("the key is not on an elliptic curve")
    if key.public_key() != certificate.public_key():
        raise ValueError("its key and its certificate don't belong together")
    try:
        certificate.extensions.get_extension_for_class(x509.NameConstraints)
    except x509.ExtensionNotFound:
        raise ValueError("it may vouch for any name, since it has no name constraints") from None
    return Authority(certificate, key)


def reason_to_replace(authority: Authority, names: tuple[ServerName, ...], now: datetime) -> str | None:
    """Why an authority can't sign for these names, as the end of a sentence; None if it can."""
    if not authority.certificate.not_valid_before_utc <= now:
        return f"it is valid only from {authority.certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
    if authority.certificate.not_valid_after_utc <= now:
        return f"it ended on {authority.certificate.not_valid_after_utc:%Y-%m-%d}"
    if outside := [name.text for name in names if not _permits(authority, name)]:
        return f"it may not vouch for {', '.join(outside)}"
    return None


def _permits(authority: Authority, name: ServerName) -> bool:
    constraints = authority.certificate.extensions.get_extension_for_class(x509.NameConstraints).value
    for permitted in constraints.permitted_subtrees or []:
        value = permitted.value
        if isinstance(permitted, x509.IPAddress) and name.address and name.address in value:
            return True
        if isinstance(permitted, x509.DNSName) and not name.address and f".{name}".endswith(f".{value}"):
            return True
    return False


def has_signed(authority: Authority, certificate: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority.certificate)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
