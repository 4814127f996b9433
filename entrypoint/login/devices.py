"""Browsers that have logged in before, known by a cookie that no sign-out and no new password takes back."""

from __future__ import annotations

import secrets

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, create_signed_value, decode_signed_value

from entrypoint.strangers.limiter import DEVICE, DEVICES

DEVICE_COOKIE = "workhorse-device"
DEVICE_DAYS = 400  # browsers keep no cookie for longer (draft-ietf-httpbis-rfc6265bis)


def device_of(request: HTTPServerRequest, secret: bytes) -> str | None:
    """The limiter's name for the browser that asks; None for one that is new here."""
    cookie = request.cookies.get(DEVICE_COOKIE)
    value = cookie.value if cookie else None
    number = decode_signed_value(secret, DEVICE_COOKIE, value, max_age_days=DEVICE_DAYS, min_version=2)
    return DEVICE + number.decode() if number else None


def make_known(handler: RequestHandler, secret: bytes) -> None:
    """Lets the browser keep its own budget of guesses from now on; the cookie opens nothing."""
    value = create_signed_value(secret, DEVICE_COOKIE, str(secrets.randbelow(DEVICES)))
    handler.set_cookie(DEVICE_COOKIE, value, expires_days=DEVICE_DAYS, httponly=True, secure=True, samesite="Lax")
