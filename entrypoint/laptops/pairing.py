"""Which laptops were paired: kept in the state, with the key, and handed from there to the service that syncs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import asdict
from datetime import datetime

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import read_private, set_aside, write_private
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.laptops.device_id import parse_device_id, short_id
from entrypoint.laptops.syncthing import Syncthing
from entrypoint.proxy.asking import NoAnswerError
from entrypoint.system.pairing import Laptop, Pairing, to_json

Say = Callable[[str], None]
# The door's start waits no longer for one that hangs.
START_SECONDS = 2.0


def not_on() -> WorkhorseError:
    return WorkhorseError.of(
        "No laptop can be kept in step: the service that syncs is not switched on.",
        "In .env: COMPOSE_FILE=docker-compose.yml:compose/sync.yml   then: docker compose up -d --build",
    )


def is_on(places: Places) -> bool:
    """Whether compose/sync.yml is among the files that this was started by."""
    return places.pairing.parent.is_dir()


def keep_pairing(places: Places, now: datetime, say: Say) -> None:
    """At the start: makes a key where there is none, and tells the service that syncs."""
    if not is_on(places):
        return
    from entrypoint.laptops.device_key import make_device_key, read_device_key

    try:
        pem = read_private(places.device_key)
        if pem is not None:
            read_device_key(pem)
    except (OSError, ValueError) as error:
        aside = set_aside(places.device_key)
        say(f"{places.device_key} can't be used ({error}); it is kept as {aside}. Pair your laptops anew.")
        pem = None
    if pem is None:
        write_private(places.device_key, make_device_key(now))
    try:
        read_laptops(places)
    except WorkhorseError as error:
        say(f"{error.problems[0].what} It is kept as {set_aside(places.laptops)}. Pair your laptops anew.")
    hand_over(places)
    restart_if_another_s(places)


def restart_if_another_s(places: Places) -> None:
    """Has a Syncthing start anew that runs by what was handed over before, as after a restore."""
    pairing = read_pairing(places)
    syncthing = Syncthing(places.sync_socket, pairing.folder, START_SECONDS)
    # One that isn't there reads it when it starts.
    with suppress(NoAnswerError, TypeError, KeyError):
        if syncthing.devices() != {pairing.device, *(laptop.id for laptop in pairing.laptops)}:
            syncthing.restart()


def read_pairing(places: Places) -> Pairing:
    """All of it.

    Raises:
        WorkhorseError: Syncing is not switched on, or no start has made a key.
    """
    if not is_on(places):
        raise not_on()
    from entrypoint.laptops.device_key import read_device_key

    try:
        device, certificate, key = read_device_key(read_untrusted(places.device_key))
    except (OSError, ValueError) as error:
        raise WorkhorseError.of(
            f"{places.device_key} can't be read: {error}.", "A start makes it anew: docker compose restart workhorse"
        ) from error
    return Pairing(device, certificate, key, folder_id(device), read_laptops(places))


def folder_id(device: str) -> str:
    """Syncthing's for the notebooks' folder: another one on each server, since a laptop may be in step with two."""
    return f"workhorse-{short_id(device).lower()}"


def read_laptops(places: Places) -> tuple[Laptop, ...]:
    """Those that were paired.

    Raises:
        WorkhorseError: They can't be read.
    """
    try:
        content = json.loads(read_untrusted(places.laptops))
        return tuple(Laptop(parse_device_id(each["id"]), shown(str(each["name"]))) for each in content["laptops"])
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise WorkhorseError.of(
            f"{places.laptops} can't be read: {error}.", "To begin anew: workhorse sync forget --all"
        ) from error


def write_laptops(places: Places, laptops: Iterable[Laptop]) -> None:
    """From now on these count."""
    write_private(places.laptops, json.dumps({"laptops": list(map(asdict, laptops))}).encode())
    hand_over(places)


def hand_over(places: Places) -> None:
    # Its owner's alone; the other start reads it as that owner, and becomes the folder's.
    write_private(places.pairing, to_json(read_pairing(places)).encode())
