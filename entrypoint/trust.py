"""A company's certificate authority, trusted by pip, conda, git, curl and requests in every kernel and terminal."""

from __future__ import annotations

from pathlib import Path

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


def trust_company(secret: Path, bundle: Path) -> dict[str, str]:
    """Writes one bundle of the public authorities and the company's; the variables that name it, if there is one.

    Args:
        secret: The file that CA_FILE names, empty where none is set.
        bundle: Where the bundle is written, readable by everyone, since authorities are no secret.
    """
    company = secret.read_bytes() if secret.exists() else b""
    if not company.strip():
        return {}
    bundle.unlink(missing_ok=True)
    bundle.write_bytes(PUBLIC_AUTHORITIES.read_bytes() + b"\n" + company)
    bundle.chmod(0o644)
    return dict.fromkeys(VARIABLES, str(bundle))
