"""Stopping: clean, quick, and final for every process."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from datetime import datetime

import docker
from docker.models.containers import Container

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.guesses import DOCKER_NETWORKS
from tests.sockets import Form, connect
from tests.stacks import SERVICES, Stack, poll

CODE = """
import subprocess, time, pathlib
subprocess.Popen(["sleep", "1000"], start_new_session=True)
pathlib.Path("/repositories/running").touch()
time.sleep(1000)
"""
SECONDS, GUESSES = 5, 95


@contextmanager
def kills(containers: Sequence[Container]) -> Iterator[Callable[[], dict[str, float]]]:
    """Yields what tells when the engine sent each of them its first signal, in seconds, once all have had one.

    What Compose takes for itself is not the server's. It is listened to from the beginning, since the engine keeps the
    last 256 events alone, of all containers.
    """
    filters = {"container": [each.id for each in containers], "event": "kill"}
    with closing(docker.from_env()) as engine, closing(engine.events(filters=filters, decode=True)) as events:

        def seconds() -> dict[str, float]:
            first: dict[str, float] = {}
            while len(first) < len(containers):
                event = next(events)
                first.setdefault(event["Actor"]["ID"], float(event["timeNano"]) / 1e9)
            return first

        yield seconds


def test_stop_ends_a_busy_kernel_and_its_children_within_five_seconds(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        kernel = client.start_kernel()
        kernel.send(CODE)
        poll(lambda: (stack.repositories / "running").exists(), wanted="the busy kernel")
        with kills([stack.container_of(service) for service in SERVICES]) as killed_at:
            stack.compose("stop")
            killed = killed_at()
    for container in map(stack.container_of, SERVICES):
        state = container.attrs["State"]
        assert datetime.fromisoformat(state["FinishedAt"]).timestamp() - killed[str(container.id)] < SECONDS
        # 137 would mean that Docker lost its patience, 143 that the signal was not handled.
        assert state["ExitCode"] == 0


def test_guesses_that_wait_for_their_check_hold_up_no_stop(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, TRUSTED_PROXIES=DOCKER_NETWORKS)
    stack.up()
    tls = ssl.create_default_context(cafile=str(stack.authority()))
    form = Form.fetch(stack.port, tls)
    with ExitStack() as connections:
        for number in range(GUESSES):
            # Asked at once, since who says nothing is let go.
            connection = connections.enter_context(connect(stack.port, tls))
            connection.sendall(form.post(b"password=wrong", f"X-Forwarded-For: 203.0.113.{number}"))
        stack.told("A wrong password")
        stack.compose("stop", "-t", str(SECONDS))
        assert stack.log().count("A wrong password") < GUESSES
    for container in map(stack.container_of, SERVICES):
        assert container.attrs["State"]["ExitCode"] == 0
