"""Browsers that have logged in before, known by a cookie that no sign-out and no new password takes back."""

from __future__ import annotations

import secrets
from typing import Any

from tornado.web import create_signed_value, decode_signed_value

from entrypoint.strangers.limiter import DEVICE, DEVICES

DEVICE_COOKIE = "workhorse-device"
DEVICE_DAYS = 400  # browsers keep no cookie for longer (draft-ietf-httpbis-rfc6265bis)


def device_of(handler: Any, secret: bytes) -> str | None:
    """The limiter's name for the browser that asks; None for one that is new here."""
    cookie = handler.get_cookie(DEVICE_COOKIE)
    number = decode_signed_value(secret, DEVICE_COOKIE, cookie, max_age_days=DEVICE_DAYS, min_version=2)
    return DEVICE + number.decode() if number else None


def make_known(handler: Any, secret: bytes) -> None:
    """Lets the browser keep its own budget of guesses from now on; the cookie opens nothing."""
    value = create_signed_value(secret, DEVICE_COOKIE, str(secrets.randbelow(DEVICES)))
    options = {"expires_days": DEVICE_DAYS, "path": handler.base_url, "httponly": True, "secure": True}
    handler.set_cookie(DEVICE_COOKIE, value, samesite="Lax", **options)
