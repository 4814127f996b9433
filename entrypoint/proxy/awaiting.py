"""What the running door asks of what runs and waits for, in its event loop; the start does without either."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from tornado.iostream import IOStream, StreamClosedError

from entrypoint.proxy.asking import CHUNK_BYTES, Question, parsed, telling
from entrypoint.proxy.upstreams import AbsentError, Upstream


async def await_kernels(upstream: Upstream, path: str, seconds: float, bytes_max: int) -> object:
    """What `ask_kernels` gives, for an answer that may take long.

    Raises:
        NoAnswerError: Nobody answers, or not so.
    """
    with telling(seconds, AbsentError):
        async with asyncio.timeout(seconds):
            stream = await upstream.connect(lambda: False)
            try:
                await stream.write(Question("GET", path).text)
                said = await _all_of(stream, bytes_max)
            finally:
                stream.close()
        if len(said) > bytes_max:
            raise ValueError(f"its answer is longer than {bytes_max} bytes")
        return parsed(said)


async def _all_of(stream: IOStream, bytes_max: int) -> bytes:
    """All that is said until the kernels' server hangs up, and a little more than the most where that is more."""
    said = b""
    with suppress(StreamClosedError):
        while len(said) <= bytes_max:
            said += await stream.read_bytes(CHUNK_BYTES, partial=True)
    return said
