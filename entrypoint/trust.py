"""A company's certificate authority, trusted by pip, conda, git, curl and requests in every kernel and terminal."""

from __future__ import annotations

from pathlib import Path

from entrypoint.errors import WorkhorseError
from entrypoint.public_files import write_public

PUBLIC_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
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


def trust_company(secret: Path, folder: Path) -> dict[str, str]:
    """Writes one bundle of the public authorities and the company's, and a shell script that sets the variables.

    Args:
        secret: The file that CA_FILE names, empty where none is set.
        folder: Where both are written, readable by everyone, since authorities are no secret.

    Returns:
        The variables that name the bundle; none without a company's authority.

    Raises:
        WorkhorseError: The file holds no certificate.
    """
    company = secret.read_bytes() if secret.exists() else b""
    if not company.strip():
        return {}
    _judge(company)
    bundle = folder / "ca.pem"
    variables = dict.fromkeys(VARIABLES, str(bundle))
    write_public(bundle, PUBLIC_AUTHORITIES.read_bytes() + b"\n" + company)
    write_public(folder / "trust.sh", "".join(f"export {name}={value}\n" for name, value in variables.items()).encode())
    return variables


def _judge(company: bytes) -> None:
    """Raises WorkhorseError where every download would fail."""
    import ssl  # slow, and most networks have no such authority

    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=company.decode("ascii", "ignore"))
    except (ssl.SSLError, ValueError):
        raise WorkhorseError.of(
            "CA_FILE names a file that holds no certificate, or a damaged one.",
            "Name a PEM file, which starts with -----BEGIN CERTIFICATE-----: CA_FILE=./company-ca.pem",
        ) from None
