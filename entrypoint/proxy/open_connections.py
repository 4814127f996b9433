"""What is open between browsers and the lab, and whose it is: a login's end ends it too."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable
from typing import Protocol

from tornado.httputil import HTTPServerRequest
from tornado.iostream import IOStream

# RFC 6455, section 7.4.1, and IANA's registry of close codes.
GOING_AWAY = 1001  # JupyterLab doesn't come back by itself
SERVICE_RESTART = 1012
# The websockets of 500 notebooks, and what their pages ask besides; 0.2 MB each at most.
CONNECTIONS_MAX = 600
POLL_SECONDS = 0.05


class Connection(Protocol):
    """A request that is being answered, or a websocket."""

    request: HTTPServerRequest
    stream: IOStream

    def end(self, code: int) -> None:
        """Ends it: a websocket with this code."""

    def wind_up(self, code: int) -> None:
        """Lets it come to its own end, which for a websocket is this code."""


class OpenConnections:
    """Everything that is on its way through the door."""

    def __init__(self, maximum: int = CONNECTIONS_MAX) -> None:
        self.maximum = maximum
        self.is_stopping = False
        self._users: dict[Connection, str] = {}

    def __len__(self) -> int:
        return len(self._users)

    def admit(self, connection: Connection, user: str) -> bool:
        """Counts a connection in, unless there are too many."""
        if len(self._users) >= self.maximum:
            return False
        self._users[connection] = user
        return True

    def leave(self, connection: Connection) -> None:
        """Counts it out; once is enough, and twice does no harm."""
        self._users.pop(connection, None)

    def close_login(self, user: str) -> None:
        """For who has logged out: nobody asks a websocket for its cookie again."""
        for connection in [each for each, whose in self._users.items() if whose == user]:
            connection.end(GOING_AWAY)

    def end_where(self, is_over: Callable[[Connection], bool]) -> None:
        """For a new password, a sign-out of everybody, and logins that have come to their days' end."""
        for connection in list(self._users):
            if is_over(connection):
                connection.end(GOING_AWAY)

    def sockets(self) -> set[socket.socket]:
        """The browsers' ends."""
        return {connection.stream.socket for connection in self._users}

    async def stop(self, seconds: float) -> None:
        """Lets everything come to its end before the door goes; what takes longer than `seconds` is broken off."""
        self.is_stopping = True
        for connection in list(self._users):
            connection.wind_up(SERVICE_RESTART)
        deadline = time.monotonic() + seconds
        while self._users and time.monotonic() < deadline:
            await asyncio.sleep(POLL_SECONDS)
        for connection in list(self._users):
            connection.end(SERVICE_RESTART)
