"""Runs the door, as the process that its start becomes."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tornado.netutil import bind_sockets

from entrypoint.door.application import make_application
from entrypoint.door.config import lock_of, read_config
from entrypoint.door.healthcheck import PORT
from entrypoint.door.log import open_log
from entrypoint.door.notices import Notifier
from entrypoint.door.serving import Certificates
from entrypoint.door.unknown_names import UnknownNames
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.login.credentials import follow_credentials, read_credentials
from entrypoint.login.door import Door
from entrypoint.proxy.handler import Passage
from entrypoint.proxy.upstreams import Upstream, Upstreams
from entrypoint.strangers.bounds import BODY_BYTES_MAX, pass_over_odd_names
from entrypoint.strangers.reception import Reception
from entrypoint.strangers.share import keep_whose_failure_it_is, share_streams
from entrypoint.system.allocator import bound_arenas
from entrypoint.system.file_limit import raise_file_limit

# What is open may take to come to its end. Docker gives 15 seconds, and people wait for the next door.
STOP_SECONDS = 2.5


def main(config_file: Path, places: Places, port: int) -> None:
    # OpenSSL has read it, and nothing that certbot runs should.
    os.environ.pop("OPENSSL_CONF", None)
    bound_arenas()
    raise_file_limit()
    share_streams()
    pass_over_odd_names()
    try:
        asyncio.run(serve(places, read_config(config_file), port, open_log()))
    except WorkhorseError as error:
        sys.exit(str(error))


async def serve(places: Places, config: Mapping[str, Any], port: int, log: logging.Logger) -> None:
    """Serves on every address until it is told to stop."""
    is_told = asyncio.Event()
    for each in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(each, is_told.set)
    server = DoorServer(places, config, log)
    server.listen(bind_sockets(port))
    await is_told.wait()
    await server.stop(STOP_SECONDS)


def upstreams_of(places: Places) -> Upstreams:
    has_cluster = places.dask_socket.parent.is_dir()
    return Upstreams(
        Upstream("lab", places.socket),
        Upstream("kernels", places.kernels_socket),
        Upstream("scheduler", places.dask_socket) if has_cluster else None,
    )


class DoorServer:
    """The door in service: what it knows, and what it does beside answering."""

    def __init__(self, places: Places, config: Mapping[str, Any], log: logging.Logger) -> None:
        keep_whose_failure_it_is(asyncio.get_running_loop())
        self.door = Door(places, lock_of(config), *read_credentials(places), log)
        upstreams = upstreams_of(places)
        self.passage = Passage(upstreams, self.door.login_of, self.door.address, self.door.connections)
        self.certificates = Certificates(places, config, log)
        names = UnknownNames(config["names"], self.certificates.covers, log)
        certificates = self.certificates
        application = make_application(
            self.door, self.passage, certificates.is_trusted, lambda name: not certificates.covers(name), names.meet
        )
        self.http = Reception(application, max_body_size=BODY_BYTES_MAX)
        self.certificates.serve_with(self.http)
        self.notifier = Notifier(places, upstreams.kernels, log) if places.notify_url.exists() else None
        self.tasks: list[asyncio.Task[None]] = []

    def listen(self, listeners: Iterable[socket.socket]) -> None:
        self.http.add_sockets(listeners)
        lasting = [self.certificates.keep(), follow_credentials(self.door)]
        lasting += [self.notifier.run()] if self.notifier else []
        self.tasks = [asyncio.create_task(each) for each in lasting]

    async def stop(self, seconds: float) -> None:
        """Accepts no more, and lets what is open come to its end: no line of a printing cell is lost."""
        self.http.stop()
        await self.passage.connections.stop(seconds)
        await self.http.close_all_connections()
        for task in self.tasks:
            task.cancel()
        self.door.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]), Places(), PORT)
