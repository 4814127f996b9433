"""Which cookies pass between browser and lab: the token against forgery, and none of the door's."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tornado.httputil import parse_cookie

NAME = "_xsrf"
# RFC 6265, section 4.1.1.
VALUE = re.compile(r"[!#-+\--:<-\[\]-~]+")
KEPT_ATTRIBUTES = ("expires", "max-age")
ATTRIBUTE = re.compile(r"[ -:<-~]*")


def asked_cookie(lines: Sequence[str]) -> str | None:
    """The one header with the one cookie that the lab gets."""
    value = parse_cookie(";".join(lines)).get(NAME, "")
    return f"Cookie: {NAME}={value}" if VALUE.fullmatch(value) else None


def answered_cookies(lines: Sequence[str]) -> list[str]:
    """What the lab may set: a script of the same origin reads it, so it is no secret, and stays on TLS."""
    return [cookie for line in lines if (cookie := _answered(line))]


def _answered(line: str) -> str | None:
    pair, *attributes = (part.strip() for part in line.split(";"))
    name, _, value = pair.partition("=")
    if name.strip() != NAME or not VALUE.fullmatch(value.strip()):
        return None
    kept = [each for each in attributes if _is_kept(each)]
    return "; ".join([f"{NAME}={value.strip()}", *kept, "Path=/", "Secure", "SameSite=Lax"])


def _is_kept(attribute: str) -> bool:
    return attribute.partition("=")[0].strip().lower() in KEPT_ATTRIBUTES and bool(ATTRIBUTE.fullmatch(attribute))
