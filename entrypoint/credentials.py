"""Lets a running server follow a new password or a sign-out: nobody who was logged in stays so."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
from typing import Any

from entrypoint.places import Places
from entrypoint.stamps import stamp
from entrypoint.tls_socket import ServerSocket

LOOK_SECONDS = 1.0


async def follow_credentials(app: Any, places: Places) -> None:
    """Never returns: looks every second whether the hash or the cookie secret has been replaced."""
    files = [places.password_hash, places.cookie_secret]
    seen = stamp(files)
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        if (now := stamp(files)) != seen and None not in now:
            seen = now
            apply_credentials(app, places)
            close_connections()
            app.log.warning("Everyone is signed out. Kernels run on.")


def apply_credentials(app: Any, places: Places) -> None:
    """Makes cookies anew as jupyter-server does: signed with the secret and the password's hash together."""
    provider = app.identity_provider
    provider.hashed_password = places.password_hash.read_text().strip()
    mixed = hmac.new(places.cookie_secret.read_bytes(), app.password.encode(), hashlib.sha256)
    app.web_app.settings["cookie_secret"] = provider.cookie_secret_hook(mixed).digest()


def close_connections() -> None:
    """Ends what was opened before, websockets above all, which nobody asks for a cookie again."""
    for connection in list(ServerSocket.open):
        try:
            socket.socket.shutdown(connection, socket.SHUT_RDWR)
        except OSError:
            continue
