"""Answers of the door's own: to strangers, to what makes no sense, and where the lab has none."""

from __future__ import annotations

import re
from urllib.parse import quote

from tornado.web import RequestHandler

from entrypoint.proxy.absent import AGAIN_SECONDS, POLICY, Trouble, is_page, page

LOGGED_OUT = "You are logged out; your kernels run on. Log in in another tab, then go on in this one."
# JupyterLab asks again by itself for a 424, and calls the kernel dead for a 403.
ONE_KERNEL = re.compile(r"/api/kernels/[^/]+")


class RefusingHandler(RequestHandler):
    """A request may be refused at its head; its connection ends with that, since its body is never read."""

    def refuse(self, status: int, message: str) -> None:
        """As Jupyter words its own errors, whose `message` JupyterLab shows."""
        self.set_status(status)
        self.set_header("Connection", "close")
        self.set_header("Cache-Control", "no-store")
        self.finish({"message": message})

    def turn_away(self, login_path: str) -> None:
        """Leads a stranger's page to the form, and refuses everything more."""
        if is_page(self.request):
            self.set_header("Connection", "close")
            self.redirect(f"{login_path}?next={quote(self.request.uri or '/', safe='')}")
        else:
            self.refuse(424 if ONE_KERNEL.fullmatch(self.request.path) else 403, LOGGED_OUT)

    def tell(self, trouble: Trouble, icon: str) -> None:
        if not is_page(self.request):
            self.refuse(trouble.status, trouble.message)
            return
        self.set_status(trouble.status)
        self.set_header("Connection", "close")
        self.set_header("Cache-Control", "no-store")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Refresh", str(AGAIN_SECONDS))
        self.finish(page(trouble, icon))
