"""Lets a running server follow a new password or a sign-out: nobody who was logged in stays so."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Callable
from pathlib import Path

from entrypoint.certificates.sockets import ServerSocket
from entrypoint.files.places import Places
from entrypoint.files.stamps import stamp
from entrypoint.files.untrusted import read_untrusted
from entrypoint.login.cookie_secrets import is_secret
from entrypoint.login.door import Door
from entrypoint.login.password import is_hash

LOOK_SECONDS = 1.0


def read_credentials(places: Places, served: str = "") -> tuple[str, bytes]:
    """The password's hash and the secret that signs logins.

    Args:
        served: A hash that needs no judging, which takes an import.

    Raises:
        OSError: One can't be read.
        ValueError: One is not what it should be.
    """
    hashed = sound_text(places.password_hash, lambda text: text == served or is_hash(text))
    return hashed.strip(), sound_text(places.cookie_secret, is_secret).encode()


async def follow_credentials(door: Door) -> None:
    """Never returns: looks every second whether the hash or the cookie secret has been replaced, or a login has ended.

    The first look compares too, since the server has read them some time before.
    """
    files = [door.places.password_hash, door.places.cookie_secret]
    seen = told = None
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        door.end_logins_that_are_over()
        if (now := stamp(files)) == seen:
            continue
        reason = reason_not_followed(door)
        # What can't be used is looked at again, since a volume may come back with the same stamp.
        seen = None if reason else now
        if reason and reason != told:
            remedy = "What was served before stays in force. To make it anew: docker compose restart workhorse"
            door.log.error("%s. %s", reason, remedy)
        told = reason


def reason_not_followed(door: Door) -> str | None:
    """Applies what the files hold, or says why it can't be."""
    try:
        signing = door.signing
        door.take_credentials(*read_credentials(door.places, served=door.hashed_password))
        if door.signing != signing:
            door.end_logins_that_are_over()
            close_others(door)
            door.log.warning("Everyone is signed out. Kernels run on.")
    except Exception as error:
        # Whatever it is, the next replacement has to count.
        return str(error) or type(error).__name__
    return None


def sound_text(file: Path, is_sound: Callable[[str], bool]) -> str:
    """What a file holds.

    Raises:
        OSError: It can't be read.
        ValueError: It is not what it should be.
    """
    text = read_untrusted(file).decode(errors="replace")
    if not is_sound(text.strip()):
        raise ValueError(f"{file} is damaged")
    return text


def close_others(door: Door) -> None:
    """Ends what else was opened before; what passes to the lab ends properly, by itself."""
    passing = door.connections.sockets()
    for connection in list(ServerSocket.open):
        if connection not in passing:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
