"""The start of what keeps the notebooks' folder in step: from what the door tells to the running Syncthing."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import make_private_folder, write_private
from entrypoint.files.untrusted import read_untrusted, shown_lines
from entrypoint.settings.settings import Settings, from_environ
from entrypoint.sync.config import config_xml
from entrypoint.sync.ignores import NAME, keep_ignores
from entrypoint.system.folder import reason_not_writable
from entrypoint.system.handover import adopt_folder, hand_over_index, hand_over_run, hand_over_socket
from entrypoint.system.identity import Identity, person_identity
from entrypoint.system.pairing import Pairing, from_json
from entrypoint.system.privileges import as_owner

TINI, SYNCTHING = "/usr/bin/tini", "/usr/bin/syncthing"
PATH = "/usr/local/bin:/usr/bin:/bin"
SETTINGS = ("SYNC_DISCOVERY", "SYNC_GIT")
POLL_SECONDS, PATIENCE_SECONDS = 0.2, 10.0


def start(environ: Mapping[str, str]) -> None:
    """Prepares everything and becomes Syncthing."""
    places = Places()
    settings = from_environ({name: environ.get(name, "") for name in SETTINGS})
    host_folder = environ.get("REPOSITORIES") or str(places.repositories)

    identity = person_identity(places, places.sync_index)
    hand_over_run(places.run, identity, places.server_run)
    pairing = wait_for_pairing(places)
    if identity.may_switch:
        adopt_folder(places.repositories, identity, host_folder, say)
        hand_over_index(places.sync_index, identity.user)
        hand_over_socket(places.sync_socket.parent, identity.user)
    identity.become_person()

    prepare_folder(places, identity, host_folder, settings)
    become_syncthing(places, pairing, settings, identity.user.uid)


def prepare_folder(places: Places, identity: Identity, host_folder: str, settings: Settings) -> None:
    """Says what is to stay here; without that, environments would be announced to laptops.

    Raises:
        WorkhorseError: Nothing can be saved there. Docker starts this again until it can.
    """
    if reason := reason_not_writable(places.repositories, identity.user, host_folder):
        what, _, remedy = reason.partition("\n")
        raise WorkhorseError.of(what, remedy.strip())
    try:
        keep_ignores(places.repositories, settings.sync_git)
    except OSError as error:
        raise WorkhorseError.of(
            f"Nothing is kept in step: {NAME} can't be written in {host_folder}: {error.strerror}.",
            "Free some space there; then it goes on by itself.",
        ) from error


def wait_for_pairing(places: Places) -> Pairing:
    """What the door tells, which may only be starting too."""
    patience = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            with as_owner(places.pairing):
                return from_json(read_untrusted(places.pairing))
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            raise WorkhorseError.of(
                f"What the door tells in {places.pairing} can't be read: {error}.",
                "Its start writes it anew: docker compose restart workhorse",
            ) from error
        if patience and time.monotonic() > patience:
            say("Waiting for the door, which holds the key.\n  To start it: docker compose up -d workhorse")
            patience = 0
        time.sleep(POLL_SECONDS)


def become_syncthing(places: Places, pairing: Pairing, settings: Settings, uid: int) -> None:
    """Below a reaper of orphans."""
    config, index = places.server_run / "syncthing", places.sync_index / str(uid)
    for folder in (config, index):
        make_private_folder(folder)
    write_private(config / "cert.pem", pairing.certificate.encode())
    write_private(config / "key.pem", pairing.key.encode())
    write_private(config / "config.xml", config_xml(pairing, places, settings.sync_discovery))
    with suppress(FileNotFoundError):
        places.sync_socket.unlink()
    options = ("--no-browser", "--no-restart", "--no-upgrade", "--no-default-folder", "--logflags=0")
    command = [TINI, "--", SYNCTHING, "serve", f"--config={config}", f"--data={index}", *options]
    os.execve(TINI, command, {"PATH": PATH, "HOME": str(index)})


def say(line: str) -> None:
    print(shown_lines(line), flush=True)


def main() -> None:
    try:
        start(os.environ)
    except WorkhorseError as error:
        sys.exit(shown_lines(str(error)))


if __name__ == "__main__":
    main()
