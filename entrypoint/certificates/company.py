"""A company's authority as Python 3.13 judges it, which is stricter than browsers, curl and Pythons before it."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from cryptography import x509

from entrypoint.system.trust import PUBLIC_AUTHORITIES

BLOCK = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
REMEDY = (
    "requests and whatever else leaves it to Python reach nothing in notebooks that it vouches for; pip may. Ask "
    "whoever runs it for a renewed one, and name that in CA_FILE."
)


def company_warnings(bundle: Path, now: datetime, public: Path = PUBLIC_AUTHORITIES) -> Iterator[str]:
    """A warning for each authority in the bundle that Python 3.13 refuses, but for public and ended ones."""
    if not bundle.exists():
        return
    known = set(BLOCK.findall(public.read_bytes()))
    for block in dict.fromkeys(BLOCK.findall(bundle.read_bytes())):
        if block not in known and (lacking := lacks(block, now)):
            yield f"Python 3.13 doesn't trust an authority in CA_FILE: {lacking}.\n{REMEDY}"


def lacks(pem: bytes, now: datetime) -> str | None:
    """What an authority lacks of what Python asks for since 3.13 (VERIFY_X509_STRICT; check_extensions in OpenSSL's
    x509_vfy.c), and its name."""
    try:
        # Of what is odd in it besides, and still taken, nobody need be told.
        with warnings.catch_warnings(action="ignore"):
            certificate = x509.load_pem_x509_certificate(pem)
            found = {each.oid: each for each in certificate.extensions}
    except (ValueError, x509.DuplicateExtension):
        return None  # no tool takes it
    if certificate.not_valid_after_utc < now:
        return None
    constraints = found.get(x509.BasicConstraints.oid)
    lacking = {
        "keyUsage": x509.KeyUsage.oid not in found,
        "a critical basicConstraints": constraints is None or not constraints.critical,
        "a subject key identifier": x509.SubjectKeyIdentifier.oid not in found,
    }
    if not any(lacking.values()):
        return None
    name = certificate.subject.rfc4514_string()
    return f"{name} lacks {' and '.join(what for what, is_lacking in lacking.items() if is_lacking)}"
