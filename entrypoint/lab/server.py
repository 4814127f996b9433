"""Runs the notebook server, as the process that the start becomes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import ssl
import sys
import time
import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jupyter_server.utils import JupyterServerAuthWarning, url_path_join
from jupyterlab.labapp import LabApp
from tornado.httpserver import HTTPServer
from traitlets.config import Config

from entrypoint.certificates.contexts import make_context
from entrypoint.door.trust_page import add_trust_page
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted
from entrypoint.lab.kernel_pictures import look_before_pictures
from entrypoint.lab.leftovers import clear
from entrypoint.lab.news import tell_news
from entrypoint.lab.terminals import look_before_opening
from entrypoint.login.credentials import follow_credentials
from entrypoint.login.door import HealthHandler
from entrypoint.proxy.headers import protect
from entrypoint.settings.names import LOCAL_NAMES, ServerName, reason_against
from entrypoint.strangers.behalf import in_own_name
from entrypoint.strangers.reception import Reception
from entrypoint.strangers.share import keep_whose_failure_it_is, share_streams
from entrypoint.system.allocator import bound_arenas
from entrypoint.system.file_limit import raise_file_limit

if TYPE_CHECKING:
    from entrypoint.renewal.keeper import CertificateKeeper

UNKNOWN_NAMES_MAX = 8


def main(config_file: Path) -> None:
    # OpenSSL has read it, and no kernel should.
    os.environ.pop("OPENSSL_CONF", None)
    places = Places()
    # Run by itself, the image may have no such folder to write to.
    with contextlib.suppress(OSError):
        clear(places.temporary, time.time())
    try:
        config = json.loads(read_untrusted(config_file))
    except (OSError, ValueError) as error:
        sys.exit(f"{config_file} can't be read: {error}.\n  A start writes it anew: docker compose restart")
    # Extensions that leave the guarding to jupyter-server, which does guard them.
    warnings.simplefilter("ignore", JupyterServerAuthWarning)
    bound_arenas()
    raise_file_limit()
    share_streams()
    HTTPServer.configure(Reception)
    app = LabApp.initialize_server(argv=[], config=Config(with_quiet_start(config)))
    for log in (app.log, logging.getLogger("tornado.general")):
        log.addFilter(is_worth_a_line)
    certificates = serve_certificates(app, config["Workhorse"], places)
    tell_unknown_names(app, tuple(config["Workhorse"]["names"]), certificates.covers)
    app.web_app.add_handlers(".*", [(url_path_join(app.base_url, "health"), HealthHandler)])
    tell_news(app.web_app, places)
    add_trust_page(app.web_app, places)
    protect(app.web_app, certificates.is_trusted)
    look_before_opening(app.root_dir)
    look_before_pictures()
    app.io_loop.add_callback(app.kernel_spec_manager.refresh)
    keep_whose_failure_it_is(app.io_loop.asyncio_loop)
    app.io_loop.add_callback(follow_credentials, app, places)
    app.io_loop.add_callback(app.set_trait, "log_level", config["ServerApp"].get("log_level", logging.INFO))
    try:
        app.start()
    finally:
        app.identity_provider.close()


class Certificates:
    """What is known of the certificates in service; nothing until they have a keeper."""

    keeper: CertificateKeeper | None = None

    def is_trusted(self, name: str) -> bool:
        """Whether a name is served with a certificate that every browser trusts."""
        return self.keeper is not None and name in self.keeper.hsts_names

    def covers(self, name: str) -> bool:
        """Whether a certificate besides the private authority's holds a name."""
        return self.keeper is not None and self.keeper.has_other_for(name)


def serve_certificates(app: Any, settings: Mapping[str, Any], places: Places) -> Certificates:
    """Serves with one TLS context, and keeps its certificates for as long as the server runs."""
    certificates = Certificates()

    def serve(context: ssl.SSLContext) -> None:
        app.http_server.ssl_options = context

    def make_keeper() -> CertificateKeeper:
        # Reading certificates takes an import of 0.1 s, for which the first page need not wait.
        from entrypoint.renewal.keeper import CertificateKeeper
        from entrypoint.renewal.plan import make_plan

        certificates.keeper = CertificateKeeper(make_plan(settings, places), places, serve, app.log)
        return certificates.keeper

    async def keep() -> None:
        keeper = certificates.keeper
        if not keeper:
            keeper = await asyncio.to_thread(make_keeper)
        await keeper.run(lambda: datetime.now(UTC))

    serve(make_context(read_untrusted(places.tls.server)))
    if settings["certificate_file"] or settings["letsencrypt_email"]:
        make_keeper().look_or_say(datetime.now(UTC))
    app.io_loop.add_callback(keep)
    return certificates


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leaves out what Jupyter says of itself as installed elsewhere and built by hand, and tornado of its pings."""
    quiet = ("non-installed server", "without nodejs", "websocket_ping_timeout")
    return not any(part in record.getMessage() for part in quiet)


def with_quiet_start(config: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without Jupyter's own lines about its start, which name addresses that nobody outside the container can open."""
    quiet = {"log_level": logging.WARNING}
    return {**config, "Application": quiet, "ServerApp": {**config["ServerApp"], **quiet}}


def tell_unknown_names(app: Any, names: tuple[str, ...], is_covered: Callable[[str], bool]) -> None:
    """Says once, when a logged-in person comes by a name that no certificate holds, which line to add."""
    web_app = app.web_app
    known = {*names, *(name.text for name in LOCAL_NAMES)}
    log_request: Callable[[Any], None] = web_app.settings["log_function"]

    def log_request_and_name(handler: Any) -> None:
        is_member = getattr(handler, "current_user", None)
        # What strangers ask for would fill the log; their guesses have a line of their own.
        if is_member or handler.get_status() >= 500:
            log_request(handler)
        if is_member and len(known) < len(names) + len(LOCAL_NAMES) + UNKNOWN_NAMES_MAX:
            host = handler.request.host_name
            if not is_covered(host.lower()):
                # Whoever logs in was a stranger a moment ago, and that request still is one's.
                in_own_name(_tell_once, host, names, known, app.log)

    web_app.settings["log_function"] = log_request_and_name


def _tell_once(host: str, names: tuple[str, ...], known: set[str], log: logging.Logger) -> None:
    if reason_against(host) or (name := ServerName.parse(host).text) in known:
        return
    known.add(name)
    log.warning(
        "You came by the name %s, which the certificate doesn't hold, so browsers warn. Put this line into .env, "
        "then run docker compose up -d: SERVER_NAMES=%s",
        name,
        ",".join((*names, name)),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
