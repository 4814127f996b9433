"""The lab's health, as Docker asks for it."""

from __future__ import annotations

import sys

from entrypoint.files.places import Places
from entrypoint.system.health import tell_health
from entrypoint.system.privileges import become_owner


def main() -> int:
    """The exit status."""
    places = Places()
    # What lies there, people's code may have put there.
    become_owner(places.server_run)
    return tell_health(str(places.socket), "JupyterLab")


if __name__ == "__main__":
    sys.exit(main())
