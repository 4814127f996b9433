"""The cookie of a login: signed, so that it need not be kept, and good for as many days as are set."""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import uuid

from tornado.httputil import HTTPServerRequest
from tornado.web import RequestHandler, create_signed_value, decode_signed_value

# As jupyter-server names and signs it, so that a login of before the wall stays one.
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9]")
LOGIN = re.compile(r"[0-9a-zA-Z-]{1,64}")


def signing_secret(cookie_secret: bytes, hashed_password: str) -> bytes:
    """What signs: with another password, every login is over."""
    return hmac.new(cookie_secret, hashed_password.encode(), hashlib.sha256).digest()


def cookie_name(host: str) -> str:
    """By host and port, since browsers give one host's cookies to all of its ports."""
    return NOT_IN_NAMES.sub("-", f"username-{host}")


def login_of(request: HTTPServerRequest, secret: bytes, days: int) -> str | None:
    """Which login a request comes with; None for a stranger's."""
    name = cookie_name(request.host)
    cookie = request.cookies.get(name)
    signed = decode_signed_value(secret, name, cookie.value, max_age_days=days, min_version=2) if cookie else None
    try:
        login = json.loads(signed)["username"] if signed else None
    except (ValueError, KeyError, TypeError):
        return None
    return login if isinstance(login, str) and LOGIN.fullmatch(login) else None


def set_login_cookie(handler: RequestHandler, secret: bytes, days: int) -> str:
    """Begins a login; returns its name."""
    name, login = cookie_name(handler.request.host), uuid.uuid4().hex
    value = create_signed_value(secret, name, json.dumps({"username": login}))
    handler.set_cookie(name, value, expires_days=days, httponly=True, secure=True, samesite="Lax")
    return login


def clear_login_cookie(handler: RequestHandler) -> None:
    handler.clear_cookie(cookie_name(handler.request.host), httponly=True, secure=True, samesite="Lax")
