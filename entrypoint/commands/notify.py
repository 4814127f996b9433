"""`workhorse notify`: sends a notice, so that a person sees whether NOTIFY_URL leads to the phone."""

from __future__ import annotations

import argparse

from entrypoint.door.messenger import send
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import read_private
from entrypoint.files.untrusted import shown
from entrypoint.settings.reader import NOTIFY_REMEDY


def notify(places: Places, _: argparse.Namespace) -> int:
    """Says that it was sent.

    Raises:
        WorkhorseError: It could not be.
    """
    url = (read_private(places.notify_url) or b"").decode()
    if not url:
        raise WorkhorseError.of("NOTIFY_URL is not set, so nothing is sent.", NOTIFY_REMEDY)
    if reason := send(url, "Workhorse: a trial", "So you will be told when a long cell ends."):
        raise WorkhorseError.of(
            f"The notice could not be sent: {shown(reason)}.",
            "Mend NOTIFY_URL in .env, then: docker compose run --rm workhorse check && docker compose up -d",
        )
    print("Sent. If it doesn't arrive, look at NOTIFY_URL: the service has taken it.")
    return 0
