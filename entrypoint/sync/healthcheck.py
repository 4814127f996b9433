"""Syncthing's health, as Docker asks for it."""

from __future__ import annotations

import sys

from entrypoint.files.places import Places
from entrypoint.system.health import tell_health
from entrypoint.system.privileges import become_owner

ASKED = ("Syncthing", "/rest/noauth/health")


def main() -> int:
    """The exit status."""
    places = Places()
    become_owner(places.server_run)
    return tell_health(str(places.sync_socket), "Syncthing", ASKED)


if __name__ == "__main__":
    sys.exit(main())
