"""Stopping: clean, quick, and final for every process."""

from __future__ import annotations

import time
from collections.abc import Callable

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack

CODE = """
import subprocess, time, pathlib
subprocess.Popen(["sleep", "1000"], start_new_session=True)
pathlib.Path("/repositories/running").touch()
time.sleep(1000)
"""
SECONDS = 5


def test_stop_ends_a_busy_kernel_and_its_children_within_five_seconds(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        kernel = client.start_kernel()
        kernel.send(CODE)
        while not (stack.repositories / "running").exists():
            kernel.socket.recv()
        start = time.monotonic()
        stack.compose("stop")
        assert time.monotonic() - start < SECONDS
    state = stack.container.attrs["State"]
    # 137 would mean that Docker lost its patience, 143 that the signal was not handled.
    assert state["ExitCode"] == 0
