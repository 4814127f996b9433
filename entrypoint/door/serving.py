"""Gives the door's server its TLS, and keeps its certificates for as long as it runs."""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tornado.httpserver import HTTPServer

from entrypoint.certificates.contexts import make_context
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted

if TYPE_CHECKING:
    from entrypoint.renewal.keeper import CertificateKeeper


class Certificates:
    """What is in service; of what else is known there is nothing until they have a keeper."""

    def __init__(self, places: Places, config: Mapping[str, Any], log: logging.Logger) -> None:
        self.places, self.config, self.log = places, config, log
        self.keeper: CertificateKeeper | None = None
        self._server: HTTPServer | None = None

    def is_trusted(self, name: str) -> bool:
        """Whether a name is served with a certificate that every browser trusts."""
        return self.keeper is not None and name in self.keeper.hsts_names

    def covers(self, name: str) -> bool:
        """Whether a certificate besides the private authority's holds a name."""
        return self.keeper is not None and self.keeper.has_other_for(name)

    def serve_with(self, server: HTTPServer) -> None:
        """Gives a server its first context, before it listens."""
        self._server = server
        self._serve(make_context(read_untrusted(self.places.tls.server)))
        if self.config["certificate_file"] or self.config["letsencrypt_email"]:
            self.keeper = self._make_keeper()
            self.keeper.look_or_say(datetime.now(UTC))

    async def keep(self) -> None:
        """Never returns."""
        if self.keeper is None:
            self.keeper = await asyncio.to_thread(self._make_keeper)
        await self.keeper.run(lambda: datetime.now(UTC))

    def _serve(self, context: ssl.SSLContext) -> None:
        if self._server:
            self._server.ssl_options = context

    def _make_keeper(self) -> CertificateKeeper:
        # Reading certificates takes an import of 0.1 s, for which the first page need not wait.
        from entrypoint.renewal.keeper import CertificateKeeper
        from entrypoint.renewal.plan import make_plan

        return CertificateKeeper(make_plan(self.config, self.places), self.places, self._serve, self.log)
