"""What a request without a login may cost: little memory, an answer in any case, and no line in the log."""

from __future__ import annotations

import logging
import sys
from types import SimpleNamespace
from typing import Any

from jupyter_server.base.handlers import APIHandler, JupyterHandler
from jupyter_server.extension.handler import ExtensionHandlerMixin
from jupyterlab_server.licenses_handler import LicensesHandler  # type: ignore[import-not-found]
from tornado.httputil import HTTPServerRequest
from tornado.web import HTTPError, decode_signed_value

from entrypoint.strangers.behalf import is_for_a_stranger
from entrypoint.strangers.caller import current_caller
from entrypoint.strangers.rooms import PATIENCE_SECONDS

# The form with the longest password there may be, of four-byte characters, each of which becomes 12.
BODY_BYTES_MAX = 64 * 1024


def bound_strangers(web_app: Any, log: logging.Logger) -> None:
    """To be called once, before anybody comes; the log is the server's own."""
    limit_bodies(web_app)
    let_errors_be_nobodys()
    let_licenses_refuse()
    leave_strangers_out_of_the_log(log)
    pass_over_odd_names()


def limit_bodies(web_app: Any) -> None:
    """Refuses a stranger's long body at its header, since tornado reads a whole one before any handler is asked."""
    find = web_app.find_handler

    def find_handler(request: HTTPServerRequest, **options: Any) -> Any:
        is_logged_in = has_login(request, web_app.settings)
        if not is_logged_in:
            request.connection.set_max_body_size(BODY_BYTES_MAX)
            request.connection.set_body_timeout(PATIENCE_SECONDS)
        if caller := current_caller.get():
            caller.asked(is_logged_in)
        return find(request, **options)

    web_app.find_handler = find_handler


def has_login(request: HTTPServerRequest, settings: dict[str, Any]) -> bool:
    """Whether a request carries the cookie of a login that is still good."""
    provider = settings["identity_provider"]
    cookie = request.cookies.get(provider.get_cookie_name(SimpleNamespace(request=request)))
    if cookie is None:
        return False
    options = provider.get_secure_cookie_kwargs
    return decode_signed_value(settings["cookie_secret"], cookie.key, cookie.value, **options) is not None


def let_errors_be_nobodys() -> None:
    """Until it is known who asks, nobody does.

    Jupyter's error page asks for that too, and fails where the error came before (jupyter_server 2.21,
    JupyterHandler.template_namespace): the answer is empty, with two tracebacks in the log.
    """
    JupyterHandler._current_user = None


def let_licenses_refuse() -> None:
    """Lets JupyterLab's list of licenses answer with an error.

    Its `finish` takes an argument that tornado's errors don't give, and is a coroutine, which they don't await: who
    isn't logged in waits forever (jupyterlab_server 2.28, licenses_handler.py).
    """

    def finish(self: Any, *chunks: Any, _mime_type: str = "application/json") -> Any:
        self.update_api_activity()
        self.set_header("Content-Type", _mime_type)
        return super(APIHandler, self).finish(*chunks)

    LicensesHandler.finish = finish


def leave_strangers_out_of_the_log(log: logging.Logger) -> None:
    """Their requests are refused a line too, or a flood of them would push everything else out of the log."""
    log_exception = JupyterHandler.log_exception

    def log_own_exception(self: Any, kind: Any, error: Any, traceback: Any) -> None:
        is_refusal = isinstance(error, HTTPError) and error.status_code < 500
        if self.current_user or not is_refusal:
            log_exception(self, kind, error, traceback)

    JupyterHandler.log_exception = log_own_exception
    for_strangers = log.getChild("strangers")
    # Not by its level, which traitlets resets whenever the server's own is set.
    for_strangers.addFilter(is_failure)
    for kind in (JupyterHandler, ExtensionHandlerMixin):
        kind.log = log_but_for_strangers(kind.log, for_strangers)
    for each in (log, logging.getLogger("tornado.general")):
        each.addFilter(is_not_a_stranger_s)


def log_but_for_strangers(own: property, for_strangers: logging.Logger) -> property:
    """The log that a handler writes to, by who asks it."""
    return property(lambda handler: own.__get__(handler) if handler.current_user else for_strangers)


def is_failure(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR


def is_not_a_stranger_s(record: logging.LogRecord) -> bool:
    return is_failure(record) or not is_for_a_stranger()


def pass_over_odd_names() -> None:
    """A name in a greeting (SNI) that is no text: ssl refuses it, and can tell nobody but this hook (CPython 3.13)."""
    tell = sys.unraisablehook

    def tell_but_that(failure: Any) -> None:
        if not (is_for_a_stranger() and isinstance(failure.exc_value, UnicodeDecodeError)):
            tell(failure)

    sys.unraisablehook = tell_but_that
