"""Answers of the door's own: to strangers, to what makes no sense, and where the lab has none."""

from __future__ import annotations

import asyncio
import re
from http import HTTPStatus
from types import TracebackType
from typing import Any
from urllib.parse import quote

from tornado.web import HTTPError, RequestHandler

from entrypoint.proxy.absent import AGAIN_SECONDS, Trouble, is_page
from entrypoint.proxy.pages import POLICY, rendered

LOGGED_OUT = "You are logged out; your kernels run on. Log in in another tab, then go on in this one."
# JupyterLab asks again by itself for a 424, and calls the kernel dead for a 403.
ONE_KERNEL = re.compile(r"/api/kernels/[^/]+")
FAULT = "The door has failed at this. Its log says how: docker compose logs workhorse"


class RefusingHandler(RequestHandler):
    """A request may be refused at its head; its connection ends with that, since its body is never read."""

    def refuse(self, status: int, message: str) -> None:
        """A script reads it as Jupyter words its own errors, whose `message` JupyterLab shows."""
        self.set_status(status)
        self.set_header("Connection", "close")
        self.set_header("Cache-Control", "no-store")
        if is_page(self.request):
            self._finish_page("refused.html", message=message)
        else:
            self.finish({"message": message})

    def turn_away(self, login_path: str) -> None:
        """Leads a stranger's page to the form, and refuses everything more."""
        if is_page(self.request):
            self.set_header("Connection", "close")
            self.redirect(f"{login_path}?next={quote(self.request.uri or '/', safe='')}")
        else:
            self.refuse(424 if ONE_KERNEL.fullmatch(self.request.path) else 403, LOGGED_OUT)

    def tell(self, trouble: Trouble) -> None:
        if not is_page(self.request):
            self.refuse(trouble.status, trouble.message)
            return
        self.set_status(trouble.status)
        self.set_header("Connection", "close")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Refresh", str(AGAIN_SECONDS))
        self._finish_page("absent.html", trouble=trouble)

    def _finish_page(self, page: str, **values: object) -> None:
        self.set_header("Content-Type", "text/html; charset=UTF-8")
        self.set_header("Content-Security-Policy", POLICY)
        self.finish(rendered(page, **values))

    def write_error(self, status_code: int, **_: Any) -> None:
        """What tornado refuses, or what has failed: nobody else sees how."""
        is_ours = status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
        self.refuse(status_code, FAULT if is_ours else f"{self._reason}.")

    def log_exception(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """A refusal is no news, whoever is refused, and neither is what a stop has left undone."""
        if not isinstance(error, (HTTPError, asyncio.CancelledError)):
            super().log_exception(kind, error, traceback)
