"""A certificate that the server can serve with, wherever it comes from: its key, its chain, and what it is good for."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.utils import CryptographyDeprecationWarning
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from entrypoint.settings.names import ServerName
from entrypoint.system.trust import PUBLIC_AUTHORITIES


@dataclass(frozen=True)
class ServedCertificate:
    """A matching pair with its chain, leaf first."""

    chain: tuple[x509.Certificate, ...]
    key_pem: bytes = field(repr=False)

    @property
    def leaf(self) -> x509.Certificate:
        return self.chain[0]

    @property
    def last_day(self) -> datetime:
        return self.leaf.not_valid_after_utc

    @property
    def pem(self) -> bytes:
        return self.key_pem + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in self.chain)

    @property
    def leaf_pem(self) -> bytes:
        return self.leaf.public_bytes(serialization.Encoding.PEM)

    @cached_property  # asked for at each handshake
    def patterns(self) -> frozenset[str]:
        """Its names and addresses; a name may start with `*.`, which stands for one label (RFC 6125)."""
        try:
            names = self.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return frozenset()
        dns_names = (name.lower() for name in names.get_values_for_type(x509.DNSName))
        return frozenset((*dns_names, *map(str, names.get_values_for_type(x509.IPAddress))))

    def covers(self, name: str) -> bool:
        return name in self.patterns or f"*.{name.partition('.')[2]}" in self.patterns

    def uncovered(self, names: Sequence[ServerName]) -> list[str]:
        return [name.text for name in names if not self.covers(name.text)]


def read_pair(chain_pem: bytes, key_pem: bytes) -> ServedCertificate:
    """Reads a certificate with its chain, and its key.

    OpenSSL may still refuse it, as too weak for instance: see `reason_not_servable`.

    Raises:
        ValueError: Why the pair can't be served with, as the end of a sentence about the pair.
    """
    key = _read_key(key_pem)
    try:
        chain = tuple(x509.load_pem_x509_certificates(chain_pem))
    except ValueError:
        raise ValueError("the certificate is not PEM text (it starts with -----BEGIN CERTIFICATE-----)") from None
    normal_key = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    certificate = ServedCertificate(chain, normal_key)
    try:
        _judge(certificate, key)
    except ValueError:
        raise
    # Names that can't be read, keys and signatures of a kind that is unknown here: each has an error of its own.
    except Exception as error:
        raise ValueError(f"the certificate is of a kind that can't be served with ({error})") from None
    return certificate


def _judge(certificate: ServedCertificate, key: PrivateKeyTypes) -> None:
    public_key, chain = key.public_key(), certificate.chain
    if public_key != chain[0].public_key():
        others = any(public_key == each.public_key() for each in chain[1:])
        raise ValueError(
            "the server's certificate doesn't stand first in its chain" if others else "key and certificate don't match"
        )
    _judge_order(chain)
    _ = certificate.patterns


def _read_key(pem: bytes) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise ValueError("the key is encrypted; write it without: openssl pkey -in KEY -out NEWKEY") from None
    # Its own UnsupportedAlgorithm besides ValueError.
    except Exception:
        if b"-----BEGIN CERTIFICATE-----" in pem:
            raise ValueError("in the key's place stands a certificate (are the two swapped?)") from None
        raise ValueError("the key is not PEM text (it starts with -----BEGIN PRIVATE KEY-----)") from None


def _judge_order(chain: tuple[x509.Certificate, ...]) -> None:
    for lower, upper in pairwise(chain):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            raise ValueError(
                f"the chain is out of order: '{common_name(upper)}' did not sign '{common_name(lower)}' above it"
            ) from None


def common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def issuer(certificate: ServedCertificate) -> str:
    """Who signed it, such as Let's Encrypt (E7)."""
    name = certificate.leaf.issuer
    parts = (name.get_attributes_for_oid(each) for each in (x509.NameOID.ORGANIZATION_NAME, x509.NameOID.COMMON_NAME))
    organisation, own = (str(found[0].value) if found else "" for found in parts)
    return f"{organisation} ({own})" if organisation and own else organisation or own or name.rfc4514_string()


def reason_against_now(certificate: ServedCertificate, now: datetime) -> str | None:
    """Why a certificate doesn't count at this time, as the end of a sentence; None if it does."""
    if now < certificate.leaf.not_valid_before_utc:
        return f"it is valid only from {certificate.leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC (is the clock right?)"
    if now >= certificate.last_day:
        return f"it ended on {certificate.last_day:%Y-%m-%d %H:%M} UTC"
    return None


def reason_incomplete(certificate: ServedCertificate) -> str | None:
    """What browsers may miss in the chain: a leaf alone that nobody knows the issuer of."""
    last = certificate.chain[-1]
    if last.issuer == last.subject or last.issuer in {root.subject for root in public_authorities()}:
        return None
    issuer = last.issuer.rfc4514_string()
    return f"the chain ends at '{common_name(last)}', and its issuer ({issuer}) is not a root that browsers know"


def is_publicly_trusted(
    certificate: ServedCertificate, name: str, now: datetime, roots: list[x509.Certificate] | None = None
) -> bool:
    """Whether every browser trusts it for a name, by the list of roots that the image holds."""
    roots = public_authorities() if roots is None else roots
    if not roots:
        return False
    verifier = PolicyBuilder().store(Store(roots)).time(now).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(certificate.leaf, list(certificate.chain[1:]))
    except VerificationError:
        return False
    return True


def public_authorities(bundle: Path = PUBLIC_AUTHORITIES) -> list[x509.Certificate]:
    try:
        with warnings.catch_warnings():
            # One root of the public list has a serial number of zero, which is none of ours to mend.
            warnings.simplefilter("ignore", CryptographyDeprecationWarning)
            return x509.load_pem_x509_certificates(bundle.read_bytes())
    except (OSError, ValueError):
        return []
