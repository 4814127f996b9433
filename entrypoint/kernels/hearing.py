"""Hears what a kernel says, once for all who listen, in bounded memory however much it is and however busy the server.

ZeroMQ bounds by number what waits for a listener, and a message may be of any size. So what has come is taken in and
counted in bytes, and is passed on bit by bit, between all else that the server does; prints that wait one behind the
other are passed on as one (`prints.py`). Of more, the kernel waits with it (image/ipython_kernel_config.py), as a
program does that writes into a pipe.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from types import SimpleNamespace

import zmq
from jupyter_client.session import Session
from tornado.log import app_log
from zmq.eventloop.zmqstream import ZMQStream

from entrypoint.kernels.prints import Message, joined

# Of what waits to be passed on, of one kernel: thousands of short lines, whose kernel need not wait.
BYTES_MAX = 8 << 20
# What Python takes for a message besides.
OVERHEAD_BYTES = 600
# In which nobody else is served.
SLICE_SECONDS = 0.01
LAST_WORDS_SECONDS = 2.0


class _Waiting:
    """Messages in their order, and about how many bytes they take."""

    def __init__(self) -> None:
        self.bytes = 0
        self._messages: deque[tuple[int, Message]] = deque()

    def __bool__(self) -> bool:
        return bool(self._messages)

    def add(self, message: Message) -> None:
        size = sum(map(len, message)) + OVERHEAD_BYTES
        self._messages.append((size, message))
        self.bytes += size

    def next(self) -> Message | None:
        return self._messages[0][1] if self._messages else None

    def take(self) -> Message:
        size, message = self._messages.popleft()
        self.bytes -= size
        return message

    def clear(self) -> None:
        self._messages.clear()
        self.bytes = 0


class Hearing:
    """Of one kernel.

    Args:
        stream: Subscribed to the kernel's output channel.
        session: By which the kernel signs what it says.
    """

    def __init__(self, stream: ZMQStream, session: Session) -> None:
        self.stream, self.session = stream, session
        self.listeners: list[Listener] = []
        self._waiting = _Waiting()
        # Whether it goes on with what waits by itself.
        self._is_passing_on = False
        stream.on_recv(self._take_in)

    def listen(self) -> Listener:
        """Adds one who hears all from now on."""
        listener = Listener(self)
        self.listeners.append(listener)
        return listener

    def close(self) -> None:
        """Ends it for all who listen."""
        if not self.stream.closed():
            self.stream.close()
        self.listeners.clear()
        self._waiting.clear()

    def flush(self) -> None:
        """Passes on at once what has come, since what follows is said by somebody else: that the kernel has died."""
        end = time.monotonic() + LAST_WORDS_SECONDS
        while not self.stream.closed() and time.monotonic() < end:
            self._receive()
            if not self._waiting:
                break
            self._pass_on(end)
        self._go_on_soon()

    def _take_in(self, message: Message) -> None:
        self._waiting.add(message)
        self._receive()
        if not self._is_passing_on:
            self._go_on()

    def _receive(self) -> None:
        """Takes in what has come; of what remains, the stream tells again."""
        end = time.monotonic() + SLICE_SECONDS
        with suppress(zmq.Again):
            while self._waiting.bytes < BYTES_MAX and time.monotonic() < end:
                self._waiting.add(self.stream.socket.recv_multipart(zmq.NOBLOCK))

    def _go_on(self) -> None:
        self._is_passing_on = False
        self._pass_on(time.monotonic() + SLICE_SECONDS)
        self._go_on_soon()
        self._pause_or_resume()

    def _go_on_soon(self) -> None:
        if self._waiting and not self._is_passing_on:
            self._is_passing_on = True
            asyncio.get_running_loop().call_soon(self._go_on)

    def _pause_or_resume(self) -> None:
        if self.stream.closed():
            return
        if self._waiting.bytes >= BYTES_MAX:
            self.stream.stop_on_recv()
        elif self._waiting.bytes < BYTES_MAX // 2 and not self.stream.receiving():
            self.stream.on_recv(self._take_in)

    def _pass_on(self, end: float) -> None:
        while self._waiting and time.monotonic() < end:
            message = joined(self.session, self._waiting.take(), self._waiting.next, self._waiting.take)
            for listener in tuple(self.listeners):
                listener.take(message)


class Listener:
    """One who listens, as jupyter-server does with a ZMQStream (pyzmq), whose methods these are."""

    channel = "iopub"

    def __init__(self, hearing: Hearing) -> None:
        self._hearing = hearing
        self._callback: Callable[[Message], object] | None = None
        # Who listens, and has not said yet how.
        self._unheard = _Waiting()

    @property
    def socket(self) -> SimpleNamespace:
        """Which jupyter-server asks now and then in the stream's place."""
        return SimpleNamespace(closed=self.closed())

    def on_recv(self, callback: Callable[[Message], object] | None, copy: bool = True) -> None:
        self._callback = callback
        if callback and self._unheard:
            asyncio.get_running_loop().call_soon(self._catch_up)

    def on_recv_stream(self, callback: Callable[[Listener, Message], object]) -> None:
        self.on_recv(lambda message: callback(self, message))

    def stop_on_recv(self) -> None:
        self.on_recv(None)

    def flush(self) -> None:
        self._hearing.flush()
        self._catch_up()

    def closed(self) -> bool:
        return self not in self._hearing.listeners

    def close(self) -> None:
        if not self.closed():
            self._hearing.listeners.remove(self)
        self._unheard.clear()

    def take(self, message: Message) -> None:
        if self._callback and not self._unheard:
            self._hear(message)
            return
        self._unheard.add(message)
        while self._unheard.bytes > BYTES_MAX:
            self._unheard.take()

    def _catch_up(self) -> None:
        while self._callback and self._unheard:
            self._hear(self._unheard.take())

    def _hear(self, message: Message) -> None:
        try:
            if self._callback:
                # Who hears it may change it.
                self._callback(list(message))
        # One's fault is not the others'.
        except Exception:
            app_log.error("Uncaught exception of one who hears a kernel", exc_info=True)
