"""A whole door in this process, with TLS and a state of its own; what lies behind it is whatever a test makes of it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from entrypoint.certificates.keeping import keep_certificates
from entrypoint.door.config import read_config, write_config
from entrypoint.door.server import DoorServer
from entrypoint.door.state import keep_cookie_secret, keep_password, write_password_hash
from entrypoint.files.places import Places
from entrypoint.settings.settings import from_environ
from tests.clients import Client
from tests.wall import Speaks, Wall

PASSWORD = "correct horse battery"
LOG = logging.getLogger("tests.door")
STOP_SECONDS = 2.5


@dataclass(kw_only=True)
class StandingDoor(Wall):
    """What a test has of it."""

    places: Places
    server: DoorServer

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    def client(self) -> Client:
        return Client(self.url, self.places.tls.authority)

    def stop(self) -> None:
        self.run(self.server.stop(STOP_SECONDS))


def prepare(places: Places, **environ: str) -> None:
    """What a start leaves for the door."""
    sockets = (places.socket.parent, places.kernels_socket.parent)
    for folder in (places.state, places.server_run, places.certificates, *sockets):
        folder.mkdir(parents=True, exist_ok=True)
    settings = from_environ({"JUPYTER_PASSWORD": PASSWORD, **environ})
    keep_certificates(places.tls, settings.server_names, datetime.now(UTC), print)
    for secret in (places.cookie_secret, places.device_secret):
        keep_cookie_secret(secret, print)
    write_password_hash(places, keep_password(places.password_hash, settings.jupyter_password, print))
    write_config(places, settings)


@contextmanager
def standing_door(root: Path, speaks: Speaks | None = None, **environ: str) -> Iterator[StandingDoor]:
    """A door, and unless it is absent a lab that speaks as it is told to."""
    places = Places(root)
    prepare(places, **environ)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    listener.setblocking(False)

    async def make() -> DoorServer:
        server = DoorServer(places, read_config(places.config), LOG)
        server.listen([listener])
        return server

    server = asyncio.run_coroutine_threadsafe(make(), loop).result(20)
    door = StandingDoor(
        socket_path=places.socket,
        other_socket_path=places.kernels_socket,
        loop=loop,
        passage=server.passage,
        port=listener.getsockname()[1],
        places=places,
        server=server,
    )
    try:
        if speaks:
            door.open_lab(speaks)
        yield door
    finally:
        door.stop()
        door.run(_end(door))
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _end(door: StandingDoor) -> None:
    for each in door.servers:
        each.close()
    rest = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in rest:
        task.cancel()
    await asyncio.gather(*rest, return_exceptions=True)
    # One round more for what these have closed.
    await asyncio.sleep(0.01)
