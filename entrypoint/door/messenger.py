"""Sends one notice to where NOTIFY_URL leads, in a process of its own: the library takes memory for a second."""

from __future__ import annotations

import json
import logging
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

# Of the service, and not of the door: their words may hold what is secret in the address.
NO_ADDRESS = "none of the services that apprise knows has such an address"
UNEXPLAINED = "the service can't be reached, or doesn't take it"
# Shorter parts of an address stand in any sentence.
SECRET_LENGTH_MIN = 3


def reason_against(url: str) -> str | None:
    """Why nothing can be sent to an address, as the end of a sentence; None if something can, as far as one sees."""
    return None if _services(url) else NO_ADDRESS


def send(url: str, title: str, body: str) -> str | None:
    """Sends a notice; why it could not be sent, as the end of a sentence."""
    said = _Said()
    services = _services(url)
    if not services:
        return NO_ADDRESS
    from apprise import NotifyFormat

    log = logging.getLogger("apprise")
    log.disabled, log.handlers, log.propagate = False, [said], False
    # As text, or it would be taken for HTML where an e-mail is HTML.
    is_sent = services.notify(title=title, body=body, body_format=NotifyFormat.TEXT)
    return None if is_sent else next(harmless(said.lines, url), UNEXPLAINED)


def harmless(lines: Iterable[str], url: str) -> Iterator[str]:
    """The lines in which no part of an address stands, without a full stop."""
    bare = re.sub(r"\b[a-z0-9]+://", "", url, flags=re.IGNORECASE)
    parts = [part for part in re.split(r"[/:@?&=,;\s]+", f"{bare} {unquote(bare)}") if len(part) >= SECRET_LENGTH_MIN]
    return (line.rstrip(". ") for line in lines if not any(part.lower() in line.lower() for part in parts))


def _services(url: str) -> Any:
    """All that an address names; something false where part of it is no address."""
    import apprise

    # It shows the address that it can't read.
    logging.getLogger("apprise").disabled = True
    # Nor does a phone fetch a picture from the library's makers.
    asset = apprise.AppriseAsset(app_id="Workhorse", app_desc="Workhorse", app_url="", image_url_mask="")
    services = apprise.Apprise(asset=asset)
    return services if services.add(url) and len(services) else None


class _Said(logging.Handler):
    """What the library says of its failures."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def main() -> int:
    """Reads address, title and body from its input, where no other process sees them; says on its output why not."""
    told = json.load(sys.stdin)
    if reason := send(told["url"], told["title"], told["body"]):
        print(reason)
    return 1 if reason else 0


if __name__ == "__main__":
    sys.exit(main())
