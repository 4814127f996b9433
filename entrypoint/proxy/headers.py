"""What every answer of the server tells the browser about safety, and what it keeps to itself."""

from __future__ import annotations

from collections.abc import Callable

from tornado.httputil import HTTPHeaders, HTTPServerRequest
from tornado.web import Application, OutputTransform

# Notebooks show scripts, styles and images of their own making; what else may be closed to them, is.
POLICY = "frame-ancestors 'self'; base-uri 'self'; object-src 'self' blob:; form-action 'self'"
HSTS_SECONDS = 180 * 24 * 3600


def protect(web_app: Application, has_trusted_certificate: Callable[[str], bool]) -> None:
    """Adds the headers to whatever any handler answers.

    Args:
        has_trusted_certificate: Whether a name is served with a certificate that every browser trusts. Only then may
            a browser be told to insist on it (RFC 6797), or a person could never go on past a warning again.
    """

    class Headers(OutputTransform):
        def __init__(self, request: HTTPServerRequest) -> None:
            self.host = request.host_name

        def transform_first_chunk(
            self, status_code: int, headers: HTTPHeaders, chunk: bytes, finishing: bool
        ) -> tuple[int, HTTPHeaders, bytes]:
            headers.pop("Server", None)
            headers["X-Content-Type-Options"] = "nosniff"
            # Elsewhere learns where a picture is shown, as makers of maps demand, and never a path.
            headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
            headers["Content-Security-Policy"] = with_policy(headers.get("Content-Security-Policy", ""))
            # What a notebook opens may answer it; who opens a page of ours from elsewhere gets no hold of it.
            headers["Cross-Origin-Opener-Policy"] = "same-origin-allow-popups"
            headers["Cross-Origin-Resource-Policy"] = "same-origin"
            if has_trusted_certificate(self.host):
                headers["Strict-Transport-Security"] = f"max-age={HSTS_SECONDS}"
            return status_code, headers, chunk

    web_app.add_transform(Headers)


def with_policy(own: str) -> str:
    """A handler's own policy and ours beside it: of several that a comma parts, each counts (CSP Level 3, 2.2)."""
    return own if "base-uri" in own else ", ".join(filter(None, (own, POLICY)))
