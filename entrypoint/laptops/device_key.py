"""The key by which laptops know this server when they sync with it; a certificate is only its outer form."""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from entrypoint.certificates.authority import AUTHORITY_BACKDATE, key_pem
from entrypoint.laptops.device_id import device_id

# The name that Syncthing looks for; its date nobody looks at, since the id is the hash of all of it.
NAME = "syncthing"
VALIDITY = timedelta(days=20 * 365)


def make_device_key(now: datetime) -> bytes:
    """Key and certificate in one text, as `syncthing generate` would make them."""
    key = ec.generate_private_key(ec.SECP384R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - AUTHORITY_BACKDATE)
        .not_valid_after(now + VALIDITY)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(NAME)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return key_pem(key) + certificate.public_bytes(serialization.Encoding.PEM)


def read_device_key(pem: bytes) -> tuple[str, str, str]:
    """The device id, the certificate and the key, both in PEM.

    Raises:
        ValueError: It is no pair of these.
    """
    key = serialization.load_pem_private_key(pem, password=None)
    certificate = x509.load_pem_x509_certificate(pem)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("its key and its certificate don't belong together")
    text = certificate.public_bytes(serialization.Encoding.PEM).decode("ascii")
    return device_id(certificate.public_bytes(serialization.Encoding.DER)), text, key_pem(key).decode("ascii")
