"""How long a cell takes on its way to the kernel and back."""

from __future__ import annotations

import ctypes
import os
import socket
import statistics
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

CELLS = 40
SERVER = "entrypoint.door.server"
# Linux, asm-generic/unistd.h: the same on every processor.
SYS_PIDFD_OPEN, SYS_PIDFD_GETFD = 434, 438


def seconds_of_a_cell(kernel: Kernel) -> float:
    began = time.monotonic()
    kernel.run("1")
    return time.monotonic() - began


def system_call(*arguments: int) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    if (result := libc.syscall(*arguments)) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(result)


def server_process(stack: Stack) -> int:
    """The door's server by its number on this machine."""
    rows = stack.container.top(ps_args="-eo pid,args")["Processes"]
    return next(int(row[0]) for row in rows if SERVER in row[1] and "tini" not in row[1])


def delays_to_browsers(process: int) -> list[bool]:
    """Whether each of another process's TCP connections waits for acknowledgements.

    By copies of them, which look at the very same ones (pidfd_getfd(2)).

    Raises:
        OSError: One has ended in between.
    """
    names = Path(f"/proc/{process}/fd").iterdir()
    numbers = [int(each.name) for each in names if os.readlink(each).startswith("socket:")]
    with ExitStack() as opened:
        door = system_call(SYS_PIDFD_OPEN, process, 0)
        opened.callback(os.close, door)
        copies = (socket.socket(fileno=system_call(SYS_PIDFD_GETFD, door, number, 0)) for number in numbers)
        sockets = [opened.enter_context(each) for each in copies]
        of_browsers = [each for each in sockets if each.family != socket.AF_UNIX and is_connected(each)]
        return [not each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) for each in of_browsers]


def is_connected(each: socket.socket) -> bool:
    try:
        each.getpeername()
    except OSError:
        return False
    return True


@pytest.mark.skipif(os.getuid() != 0, reason="only root may look at another process's sockets")
def test_no_answer_of_a_kernel_waits_for_an_acknowledgement(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        seconds = [seconds_of_a_cell(kernel) for _ in range(CELLS)]
        print(f"a cell takes {statistics.median(seconds) * 1000:.1f} ms (median of {CELLS})")
        # All but the websocket's own end with the session, as soon as the door has noticed.
        client.session.close()
        door = server_process(stack)

        def delays_none() -> bool | None:
            with suppress(OSError):
                return set(delays_to_browsers(door)) == {False} or None
            return None

        poll(delays_none, wanted="no delay on the websocket alone")
