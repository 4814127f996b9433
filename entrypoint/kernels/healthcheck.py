"""The health of what runs, as Docker asks for it: it wakes no server that nobody has asked for anything yet."""

from __future__ import annotations

import os
import sys

from entrypoint.files.places import Places
from entrypoint.system.health import tell_health
from entrypoint.system.privileges import become_owner

# Behind the name of its program; the reaper above it names all of that too, but further on.
WAITING = [b"-I", b"-m", b"entrypoint.kernels.waiting"]


def main() -> int:
    """The exit status."""
    places = Places()
    # What lies there, people's code may have put there.
    become_owner(places.server_run)
    if is_waiting():
        print("Nobody has asked for anything yet.")
        return 0
    return tell_health(str(places.kernels_socket), "Jupyter")


def is_waiting() -> bool:
    return any(command_of(process)[1:4] == WAITING for process in os.listdir("/proc") if process.isdigit())


def command_of(process: str) -> list[bytes]:
    """Empty where it has ended meanwhile."""
    try:
        with open(f"/proc/{process}/cmdline", "rb") as file:
            return file.read().split(b"\0")
    except OSError:
        return []


if __name__ == "__main__":
    sys.exit(main())
