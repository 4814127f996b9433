"""What the door answers itself, and to whom; everything else is the lab's, for whoever is logged in."""

from __future__ import annotations

from collections.abc import Callable

from tornado.httputil import HTTPServerRequest

from entrypoint.door.news import PATH as NEWS_PATH
from entrypoint.door.news import NewsHandler
from entrypoint.door.public import HealthHandler, IconHandler
from entrypoint.door.trust_page import TrustHandler
from entrypoint.login.door import Door
from entrypoint.login.form import LoginHandler
from entrypoint.login.logout import LogoutHandler
from entrypoint.proxy.handler import Passage, ProxyHandler
from entrypoint.proxy.headers import protect
from entrypoint.strangers.bounds import BoundedApplication

# Each stands here for what it may show to a stranger: all but the news are public.
LOGIN, LOGOUT, HEALTH, ICON, TRUST = "/login", "/logout", "/health", r"/static/favicon\.ico", "/trust"
TRUST_FILES = rf"{TRUST}/(workhorse-ca\.(?:crt|mobileconfig))"
EVERYTHING_ELSE = "(?s:.*)"


def make_application(
    door: Door, passage: Passage, has_trusted_certificate: Callable[[str], bool], meet: Callable[[str], None]
) -> BoundedApplication:
    """The door's whole answer to a request.

    Args:
        has_trusted_certificate: See `protect`.
        meet: To be told by which name a logged-in person comes.
    """

    def is_logged_in(request: HTTPServerRequest) -> bool:
        is_in = door.login_of(request) is not None
        if is_in:
            meet(request.host_name)
        return is_in

    of_door, of_trust = {"door": door}, {"places": door.places}
    application = BoundedApplication(
        [
            (LOGIN, LoginHandler, of_door),
            (LOGOUT, LogoutHandler, of_door),
            (HEALTH, HealthHandler),
            (ICON, IconHandler),
            (TRUST, TrustHandler, of_trust),
            (TRUST_FILES, TrustHandler, of_trust),
            (NEWS_PATH, NewsHandler, {"door": door, "passage": passage}),
            (EVERYTHING_ELSE, ProxyHandler, {"passage": passage}),
        ],
        is_logged_in,
        xsrf_cookies=True,
        # Not HttpOnly: JupyterLab reads it, and sends it back to the lab, which has tornado's tokens too.
        xsrf_cookie_kwargs={"secure": True, "samesite": "Lax"},
    )
    protect(application, has_trusted_certificate)
    return application
