"""Where the frames of a websocket begin and end, read from their heads alone (RFC 6455, section 5.2)."""

from __future__ import annotations

import os

CLOSE = 0x8
FINAL = 0x80
MASKED = 0x80
# How many bytes hold the length, for the two values of the 7 bits that say so.
LONGER = {126: 2, 127: 8}
MASK_BYTES = 4


class Frames:
    """Follows the bytes that go one way."""

    def __init__(self) -> None:
        self.is_closed = False
        self._head = b""
        self._left = 0

    @property
    def is_between(self) -> bool:
        """Whether a frame could be put in here."""
        return not self._head and not self._left

    def pass_over(self, data: bytes) -> None:
        position = 0
        while position < len(data):
            position = self._step(data, position)

    def rest_of_frame(self, data: bytes) -> bytes:
        """Passes over the bytes that still belong to the frame that has begun, and returns them."""
        position = 0
        while position < len(data) and not self.is_between:
            position = self._step(data, position)
        return data[:position]

    def _step(self, data: bytes, position: int) -> int:
        if self._left:
            taken = min(self._left, len(data) - position)
            self._left -= taken
            return position + taken
        end = position + _head_bytes(self._head) - len(self._head)
        self._head += data[position:end]
        if len(self._head) == _head_bytes(self._head):
            self._begin(self._head)
        return min(end, len(data))

    def _begin(self, head: bytes) -> None:
        self.is_closed |= head[0] & 0xF == CLOSE
        length = head[1] & 0x7F
        size = LONGER.get(length)
        self._left = int.from_bytes(head[2 : 2 + size], "big") if size else length
        self._head = b""


def _head_bytes(head: bytes) -> int:
    """How long a head is, as far as what there is of it tells."""
    if len(head) < 2:
        return 2
    return 2 + LONGER.get(head[1] & 0x7F, 0) + (MASK_BYTES if head[1] & MASKED else 0)


def close_frame(code: int, *, is_masked: bool) -> bytes:
    """A frame that ends a websocket; a client's is masked, a server's is not."""
    payload = code.to_bytes(2, "big")
    if not is_masked:
        return bytes([FINAL | CLOSE, len(payload)]) + payload
    mask = os.urandom(MASK_BYTES)
    hidden = bytes(byte ^ key for byte, key in zip(payload, mask, strict=False))
    return bytes([FINAL | CLOSE, MASKED | len(payload)]) + mask + hidden
