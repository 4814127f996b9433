"""A company's certificate authority, trusted by pip, conda, git, curl and requests in every kernel and terminal."""

from __future__ import annotations

import stat
from pathlib import Path

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.public import write_public
from entrypoint.files.untrusted import BYTES_MAX, read_linked
from entrypoint.system.privileges import ROOT

PUBLIC_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
BUNDLE = "ca.pem"
# What the image holds of public ones is a quarter of that, and the company's may be as long as any file.
BUNDLE_BYTES_MAX = 2 * BYTES_MAX
# Each tool has its own variable: OpenSSL and Python, requests, pip, conda, git, curl, Node.
VARIABLES = (
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
    "PIP_CERT",
    "CONDA_SSL_VERIFY",
    "GIT_SSL_CAINFO",
    "CURL_CA_BUNDLE",
    "NODE_EXTRA_CA_CERTS",
)


def trust_company(secret: Path, folder: Path) -> None:
    """Writes one bundle of the public authorities and the company's.

    Args:
        secret: The file that CA_FILE names, empty where none is set.
        folder: Where it is written, readable by everyone, since authorities are no secret.

    Raises:
        WorkhorseError: The file holds no certificate, or can't be read.
    """
    if company := judge_company(secret):
        write_public(folder / BUNDLE, PUBLIC_AUTHORITIES.read_bytes() + b"\n" + company)


def refuse_closed(secret: Path) -> None:
    """Judges, for root that may read everything, what the others' root, nobody's superior, could not read.

    Raises:
        WorkhorseError: They would not start.
    """
    try:
        status = secret.stat()
    except OSError:  # `judge_company` tells of it
        return
    if not (status.st_mode & stat.S_IROTH or status.st_uid == ROOT):
        raise _closed()


def _closed() -> WorkhorseError:
    return WorkhorseError.of(
        "CA_FILE names a file that not everybody may read, and it is for every notebook.",
        "On the host, with that file's name: chmod a+r ./company-ca.pem",
    )


def _read(secret: Path) -> bytes:
    try:
        return read_linked(secret)
    except FileNotFoundError:
        return b""
    except PermissionError:
        raise _closed() from None
    except OSError as error:
        raise WorkhorseError.of(
            f"CA_FILE names a file that can't be read: {error.strerror}.",
            "Name a PEM file, which starts with -----BEGIN CERTIFICATE-----: CA_FILE=./company-ca.pem",
        ) from None


def trusted(folder: Path) -> dict[str, str]:
    """The variables that name the bundle; none without a company's authority."""
    bundle = folder / BUNDLE
    return dict.fromkeys(VARIABLES, str(bundle)) if bundle.exists() else {}


def judge_company(secret: Path) -> bytes:
    """What the file holds; nothing where none is set.

    Raises:
        WorkhorseError: With it, every download would fail.
    """
    company = _read(secret)
    if not company.strip():
        return b""
    import ssl  # slow, and most networks have no such authority

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=company.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise WorkhorseError.of(
            "CA_FILE names a file that holds no certificate, or a damaged one.",
            "Name a PEM file, which starts with -----BEGIN CERTIFICATE-----: CA_FILE=./company-ca.pem",
        ) from None
    return company
