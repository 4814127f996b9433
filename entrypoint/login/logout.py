"""The way out, for a computer that is somebody else's."""

from __future__ import annotations

from entrypoint.login.door import Door
from entrypoint.login.login_cookie import clear_login_cookie
from entrypoint.proxy.pages import POLICY, rendered
from entrypoint.proxy.refusals import RefusingHandler

# What is typed into the address bar, and our own pages (Fetch Metadata Request Headers, W3C); old browsers send none.
OWN_SITES = ("none", "same-origin")


class LogoutHandler(RefusingHandler):
    """Ends the login of one browser, and empties what the browser keeps of notebooks."""

    def initialize(self, door: Door) -> None:
        self.door = door

    async def get(self) -> None:
        # The cookie comes along from anybody's link, so a foreign one only leads to a button.
        is_own = self.request.headers.get("Sec-Fetch-Site", "none") in OWN_SITES
        if is_own:
            await self._log_out()
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Cache-Control", "no-store")
        self.finish(rendered("logout.html", is_out=is_own))

    async def _log_out(self) -> None:
        clear_login_cookie(self)
        if login := self.door.login_of(self.request):
            await self.door.log_out(login)
            self.set_header("Clear-Site-Data", '"cache", "storage"')
