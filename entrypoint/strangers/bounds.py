"""What a request without a login may cost: little memory, an answer in any case, and no line in the log."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.web import Application

from entrypoint.strangers.behalf import is_for_a_stranger
from entrypoint.strangers.caller import current_caller
from entrypoint.strangers.rooms import PATIENCE_SECONDS

# The form with the longest password there may be, of four-byte characters, each of which becomes 12.
BODY_BYTES_MAX = 64 * 1024
IsLoggedIn = Callable[[HTTPServerRequest], bool]


class BoundedApplication(Application):
    """Judges each request at its head, since tornado reads a whole body before most handlers are asked.

    Args:
        rules: As tornado has them.
        is_logged_in: Whether a request carries a login that is still good.
    """

    def __init__(self, rules: Any, is_logged_in: IsLoggedIn, **settings: Any) -> None:
        super().__init__(rules, log_function=pass_over, **settings)
        self.is_logged_in = is_logged_in

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
        is_logged_in = self.is_logged_in(request)
        if not is_logged_in:
            request.connection.set_max_body_size(BODY_BYTES_MAX)
            request.connection.set_body_timeout(PATIENCE_SECONDS)
        if caller := current_caller.get():
            caller.asked(is_logged_in)
        return super().find_handler(request, **options)


def pass_over(_: object) -> None:
    """Of what is asked, nothing is logged: strangers would fill the log, and what others do is theirs."""


def leave_strangers_out_of_the_log(handler: logging.Handler) -> None:
    """Their requests are refused a line too, or a flood of them would push everything else out of the log."""
    handler.addFilter(is_not_a_stranger_s)
    # What comes malformed or too late: nobody's to mend.
    for name in ("tornado.general", "tornado.access"):
        logging.getLogger(name).setLevel(logging.ERROR)


def is_not_a_stranger_s(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.ERROR or not is_for_a_stranger()


def pass_over_odd_names() -> None:
    """A name in a greeting (SNI) that is no text: ssl refuses it, and can tell nobody but this hook (CPython 3.13)."""
    tell = sys.unraisablehook

    def tell_but_that(failure: Any) -> None:
        if not (is_for_a_stranger() and isinstance(failure.exc_value, UnicodeDecodeError)):
            tell(failure)

    sys.unraisablehook = tell_but_that
