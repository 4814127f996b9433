"""What the door answers itself, and to whom; everything else is the lab's, for whoever is logged in."""

from __future__ import annotations

from collections.abc import Callable

from tornado.httputil import HTTPServerRequest

from entrypoint.door.news import PATH as NEWS_PATH
from entrypoint.door.news import NewsHandler
from entrypoint.door.own_page import PATH as OWN_PATH
from entrypoint.door.own_page import SIGN_OUT_PATH, OwnPageHandler, SignOutHandler
from entrypoint.door.public import HealthHandler, IconHandler
from entrypoint.door.trust_page import TrustHandler
from entrypoint.laptops.changed_by import PATH as CHANGED_BY_PATH
from entrypoint.laptops.changed_by import ChangedByHandler
from entrypoint.login.door import Door
from entrypoint.login.form import LoginHandler
from entrypoint.login.logout import LogoutHandler
from entrypoint.proxy.handler import Passage, ProxyHandler
from entrypoint.proxy.headers import protect
from entrypoint.strangers.bounds import BoundedApplication

# Each stands here for what it may show to a stranger: all but those that are guarded are public.
LOGIN, LOGOUT, HEALTH, TRUST = "/login", "/logout", "/health", "/trust"
# JupyterLab's pages ask for another while a kernel is busy, and Jupyter Notebook's by what they show.
ICON = r"/static/(?:favicon|favicons/favicon(?:-file|-notebook|-terminal)?)\.ico"
BUSY_ICON = r"/static/favicons/favicon-busy-[123]\.ico"
TRUST_FILES = rf"{TRUST}/(workhorse-ca\.(?:crt|mobileconfig))"
EVERYTHING_ELSE = "(?s:.*)"


def make_application(
    door: Door,
    passage: Passage,
    has_trusted_certificate: Callable[[str], bool],
    is_private: Callable[[str], bool],
    meet: Callable[[str], None],
) -> BoundedApplication:
    """The door's whole answer to a request.

    Args:
        has_trusted_certificate: See `protect`.
        is_private: Whether the private authority alone vouches for a name.
        meet: To be told by which name a logged-in person comes.
    """

    def is_logged_in(request: HTTPServerRequest) -> bool:
        is_in = door.meet(request)
        if is_in:
            meet(request.host_name)
        return is_in

    of_door, of_trust, guarded = {"door": door}, {"places": door.places}, {"door": door, "passage": passage}
    application = BoundedApplication(
        [
            (LOGIN, LoginHandler, {**of_door, "is_private": is_private}),
            (LOGOUT, LogoutHandler, of_door),
            (HEALTH, HealthHandler),
            (ICON, IconHandler, {"name": "favicon.ico"}),
            (BUSY_ICON, IconHandler, {"name": "favicon-busy.ico"}),
            (TRUST, TrustHandler, of_trust),
            (TRUST_FILES, TrustHandler, of_trust),
            (NEWS_PATH, NewsHandler, guarded),
            (CHANGED_BY_PATH, ChangedByHandler, guarded),
            (OWN_PATH, OwnPageHandler, guarded),
            (SIGN_OUT_PATH, SignOutHandler, guarded),
            (EVERYTHING_ELSE, ProxyHandler, {"passage": passage}),
        ],
        is_logged_in,
        xsrf_cookies=True,
        # Not HttpOnly: JupyterLab reads it, and sends it back to the lab, which has tornado's tokens too.
        xsrf_cookie_kwargs={"secure": True, "samesite": "Lax"},
    )
    protect(application, has_trusted_certificate)
    return application
