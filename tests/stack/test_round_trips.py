"""How long a cell takes on its way to the kernel and back."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.extensions import add_extension
from tests.stacks import Stack, poll

CELLS = 40
SEEN = "/tmp/nodelay"
MODULE = "looks_at_sockets"
# Writes down, every second, TCP_NODELAY of each websocket that is open.
EXTENSION = f'''
import socket
from tornado.ioloop import PeriodicCallback

def _jupyter_server_extension_points():
    return [dict(module="{MODULE}")]

def _load_jupyter_server_extension(app):
    def write():
        sockets = [each.ws_connection.stream.socket for each in app.identity_provider.websockets if each.ws_connection]
        with open("{SEEN}", "w") as file:
            file.writelines(f"{{each.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)}}\\n" for each in sockets)
    app.io_loop.add_callback(PeriodicCallback(write, 1000).start)
'''


def seconds_of_a_cell(kernel: Kernel) -> float:
    began = time.monotonic()
    kernel.run("1")
    return time.monotonic() - began


def test_no_answer_of_a_kernel_waits_for_an_acknowledgement(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    add_extension(stack, MODULE, EXTENSION)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        seconds = [seconds_of_a_cell(kernel) for _ in range(CELLS)]
        print(f"a cell takes {statistics.median(seconds) * 1000:.1f} ms (median of {CELLS})")
        seen = poll(lambda: stack.shell(f"cat {SEEN} 2>/dev/null", check=False).split(), 20, "a look at the sockets")
    assert seen == ["1"]
