"""A start that is killed at any moment leaves nothing that the next start can't use."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.clients import Client
from tests.stacks import Stack, poll

POINTS = 30
FIRST_START_SECONDS = 1.2


def start_and_kill(project: str, seconds: float) -> str:
    """Starts a container on the project's empty volumes, kills it after a while; returns what it said."""
    name = f"{project}-killed"
    volumes = ["-v", f"{project}_state:/var/lib/workhorse", "-v", f"{project}_home:/home/workhorse"]
    subprocess.run(["docker", "run", "-d", "--name", name, *volumes, "workhorse"], check=True, capture_output=True)
    time.sleep(seconds)  # the moment itself is what is tested
    subprocess.run(["docker", "kill", name], check=False, capture_output=True)
    said = subprocess.run(["docker", "logs", name], check=True, capture_output=True, text=True).stdout
    subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)
    return said


@pytest.mark.parametrize("point", range(POINTS))
def test_the_start_after_a_killed_one_serves(own_stack: Callable[..., Stack], point: int) -> None:
    stack = own_stack()
    stack.compose("create", "--no-build")
    killed = start_and_kill(stack.project, FIRST_START_SECONDS * point / POINTS)
    stack.compose("start")
    poll(lambda: stack.container.attrs["State"]["Health"]["Status"] == "healthy" or None, 60, "health")
    # The last password that was shown is the one that opens, whenever the kill came.
    said = killed + stack.log()
    password = [line.split()[1] for line in said.splitlines() if "made up now" in line][-1]
    with Client(stack.url, stack.authority()) as client:
        assert client.login(password).status_code == 302
