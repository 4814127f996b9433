"""The way out, for a computer that is somebody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.base.handlers import JupyterHandler

if TYPE_CHECKING:
    from entrypoint.login.door import Door

# What is typed into the address bar, and our own pages (Fetch Metadata Request Headers, W3C); old browsers send none.
OWN_SITES = ("none", "same-origin")


class LogoutHandler(JupyterHandler):
    """Ends the login of one browser, and empties what the browser keeps of notebooks."""

    @allow_unauthenticated
    def get(self) -> None:
        # The cookie comes along from anybody's link, so a foreign one only leads to a button.
        is_own = self.request.headers.get("Sec-Fetch-Site", "none") in OWN_SITES
        if is_own:
            self._log_out()
        self.finish(self.render_template("logout.html", is_out=is_own))

    def _log_out(self) -> None:
        door: Door = self.identity_provider
        door.clear_login_cookie(self)
        if self.current_user:
            door.log_out(self.current_user)
            self.set_header("Clear-Site-Data", '"cache", "storage"')
