"""Lets a running server follow a new password or a sign-out: nobody who was logged in stays so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

from entrypoint.certificates.sockets import ServerSocket
from entrypoint.files.places import Places
from entrypoint.files.stamps import stamp
from entrypoint.files.untrusted import read_untrusted
from entrypoint.login.cookie_secrets import is_secret
from entrypoint.login.password import is_hash

LOOK_SECONDS = 1.0


async def follow_credentials(app: Any, places: Places) -> None:
    """Never returns: looks every second whether the hash or the cookie secret has been replaced.

    The first look compares too, since the server has read its configuration some time before.
    """
    files = [places.password_hash, places.cookie_secret]
    seen = told = None
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (now := stamp(files)) == seen:
            continue
        reason = reason_not_followed(app, places)
        # What can't be used is looked at again, since a volume may come back with the same stamp.
        seen = None if reason else now
        if reason and reason != told:
            app.log.error("%s. What was served before stays in force. To make it anew: docker compose restart", reason)
        told = reason


def reason_not_followed(app: Any, places: Places) -> str | None:
    """Applies what the files hold, or says why it can't be."""
    served = app.identity_provider.hashed_password
    try:
        # What is served needs no judging, which takes an import.
        hashed = sound_text(places.password_hash, lambda text: text == served or is_hash(text))
        secret = sound_text(places.cookie_secret, is_secret)
        if apply_credentials(app, hashed.strip(), secret.encode()):
            close_connections()
            app.log.warning("Everyone is signed out. Kernels run on.")
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


def apply_credentials(app: Any, hashed: str, secret: bytes) -> bool:
    """Makes cookies anew as jupyter-server does, signed with the secret and the password's hash together.

    Returns:
        Whether that is a change.
    """
    provider, settings = app.identity_provider, app.web_app.settings
    provider.hashed_password = hashed
    mixed = hmac.new(secret, app.password.encode(), hashlib.sha256)
    signing, before = provider.cookie_secret_hook(mixed).digest(), settings["cookie_secret"]
    settings["cookie_secret"] = signing
    return bool(signing != before)


def close_connections() -> None:
    """Ends what was opened before, websockets above all, which nobody asks for a cookie again."""
    for connection in list(ServerSocket.open):
        try:
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            continue
