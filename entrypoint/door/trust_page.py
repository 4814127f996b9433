"""The page from which a phone takes the private authority's certificate, open only while it is shared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tornado.web import HTTPError

from entrypoint.certificates.sharing import STEPS, apple_profile, is_shared
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted
from entrypoint.proxy.pages import POLICY, rendered
from entrypoint.proxy.refusals import RefusingHandler

if TYPE_CHECKING:
    from entrypoint.certificates.authority import Authority


class TrustHandler(RefusingHandler):
    """The page itself, and the authority's certificate in the two forms that devices want."""

    def initialize(self, places: Places) -> None:
        self.places = places

    def get(self, file: str | None = None) -> None:
        if not is_shared(self.places.sharing):
            raise HTTPError(404)
        from entrypoint.certificates.authority import load_authority  # a slow import, which no start waits for

        try:
            authority = load_authority(read_untrusted(self.places.tls.authority))
        except (OSError, ValueError):
            self.refuse(503, "The authority is just being made anew. Try again in a moment.")
            return
        self.set_header("Cache-Control", "no-store")
        if file:
            self._send(file, authority)
        else:
            self.set_header("Content-Security-Policy", POLICY)
            self.finish(rendered("trust.html", fingerprint=authority.fingerprint, steps=STEPS))

    def _send(self, file: str, authority: Authority) -> None:
        is_profile = file.endswith(".mobileconfig")
        self.set_header(
            "Content-Type", "application/x-apple-aspen-config" if is_profile else "application/x-x509-ca-cert"
        )
        self.set_header("Content-Disposition", f'attachment; filename="{file}"')
        self.finish(apple_profile(authority) if is_profile else authority.certificate_pem)
