"""The bodies of requests that are on their way: a lab that goes before it has heard one to its end hears it again."""

from __future__ import annotations

# A save of most notebooks, and each chunk of an upload in JupyterLab.
BODY_BYTES_MAX = 4 * 1024 * 1024
TOGETHER_BYTES_MAX = 64 * 1024 * 1024


class Room:
    """What all bodies may take together."""

    def __init__(self, bytes_left: int = TOGETHER_BYTES_MAX) -> None:
        self.bytes_left = bytes_left


class HeldBody:
    """As much of one body as has come; nothing, once it is more than there is room for."""

    def __init__(self, room: Room) -> None:
        self.room = room
        self.parts: list[bytes] = []
        self.is_whole = True
        self._length = 0

    def add(self, part: bytes) -> None:
        if not self.is_whole:
            return
        if self._length + len(part) > BODY_BYTES_MAX or len(part) > self.room.bytes_left:
            self.let_go()
            return
        self.parts.append(part)
        self._length += len(part)
        self.room.bytes_left -= len(part)

    def let_go(self) -> None:
        """Gives its room back; once is enough, and twice does no harm."""
        self.room.bytes_left += self._length
        self.parts, self._length, self.is_whole = [], 0, False
