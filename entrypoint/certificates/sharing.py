"""Offers the private authority's certificate to phones and tablets, for as long as the person allows it."""

from __future__ import annotations

import plistlib
import time
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from entrypoint.files.public import write_public
from entrypoint.files.untrusted import read_untrusted

if TYPE_CHECKING:
    from entrypoint.certificates.authority import Authority

MINUTES = 10
PATH = "/trust"


def open_sharing(path: Path) -> None:
    """Allows it from now on."""
    # A clock that nobody sets, and that every process in the container reads alike.
    end = time.clock_gettime(time.CLOCK_BOOTTIME) + MINUTES * 60
    write_public(path, str(end).encode())


def is_shared(path: Path) -> bool:
    try:
        remaining = float(read_untrusted(path)) - time.clock_gettime(time.CLOCK_BOOTTIME)
    except (OSError, ValueError):
        return False
    return 0 < remaining <= MINUTES * 60


def apple_profile(authority: Authority) -> bytes:
    """A configuration profile that installs the authority (developer.apple.com, Configuration Profile Reference)."""
    from cryptography.hazmat.primitives.serialization import Encoding

    name = authority.certificate.subject.rfc4514_string().removeprefix("CN=")
    identity = uuid.uuid5(uuid.NAMESPACE_OID, authority.fingerprint)
    common = {"PayloadVersion": 1, "PayloadDisplayName": name}
    certificate = {
        **common,
        "PayloadType": "com.apple.security.root",
        "PayloadIdentifier": f"workhorse.authority.{identity}",
        "PayloadUUID": str(uuid.uuid5(identity, "certificate")).upper(),
        "PayloadCertificateFileName": "workhorse-ca.cer",
        "PayloadContent": authority.certificate.public_bytes(Encoding.DER),
    }
    profile = {
        **common,
        "PayloadType": "Configuration",
        "PayloadIdentifier": f"workhorse.{identity}",
        "PayloadUUID": str(identity).upper(),
        "PayloadDescription": "Lets this device open your Workhorse server without a warning. "
        "The authority can vouch for that server and for local networks only.",
        "PayloadContent": [certificate],
    }
    return plistlib.dumps(profile)


@dataclass(frozen=True)
class Steps:
    """How one kind of device comes to trust the authority."""

    device: str
    file: str
    steps: tuple[str, ...]
    is_tried: bool = False


# Untried means: written after the maker's documentation, on no device of ours.
STEPS = (
    Steps(
        "iPhone and iPad",
        "workhorse-ca.mobileconfig",
        (
            "Open this page in Safari, tap the file, and allow the download.",
            "Settings > General > VPN & Device Management: install the profile.",
            "Settings > General > About > Certificate Trust Settings: switch it on.",
        ),
    ),
    Steps(
        "Android",
        "workhorse-ca.crt",
        ("Download the file.", "Settings, search for 'CA certificate', install it, and choose the file."),
    ),
    Steps(
        "macOS",
        "workhorse-ca.crt",
        (
            "Open the file in Keychain Access.",
            "Double-click its entry; Trust > When using this certificate: Always Trust.",
        ),
    ),
    Steps(
        "Windows",
        "workhorse-ca.crt",
        ("Open the file and choose Install Certificate.", "Place it in 'Trusted Root Certification Authorities'."),
    ),
    Steps(
        "Linux",
        "workhorse-ca.crt",
        (
            "sudo cp workhorse-ca.crt /usr/local/share/ca-certificates/ && sudo update-ca-certificates",
            "Chromium: certutil -d sql:$HOME/.pki/nssdb -A -t C,, -n Workhorse -i workhorse-ca.crt",
        ),
        is_tried=True,
    ),
    Steps(
        "Firefox, everywhere",
        "workhorse-ca.crt",
        ("Settings > Privacy & Security > View Certificates > Authorities > Import.", "Tick 'identify websites'."),
    ),
)
