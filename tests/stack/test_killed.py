"""A start that is killed at any moment leaves nothing that the next start can't use."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.clients import Client
from tests.stacks import IMAGE, Stack, new_stack, poll, prepared

MakeStack = Callable[..., Stack]
POINTS = 30
# By their paths, since the default kernel's own pip stands behind them.
WORKS = "cd ~/venv/bin && test -e activate && test -e activate.fish && ./pip3 --version >/dev/null && ./pip --version"


@contextmanager
def started_alone(project: str) -> Iterator[str]:
    """Starts a container on the project's empty volumes; yields its name, and removes it."""
    name = f"{project}-killed"
    volumes = ["-v", f"{project}_state:/var/lib/workhorse", "-v", f"{project}_home:/home/workhorse"]
    subprocess.run(["docker", "run", "-d", "--name", name, *volumes, IMAGE], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)


def said_by(name: str) -> str:
    return subprocess.run(["docker", "logs", name], check=True, capture_output=True, text=True).stdout


def start_and_kill(project: str, seconds: float) -> str:
    """Kills a start after a while; returns what it said."""
    with started_alone(project) as name:
        time.sleep(seconds)  # the moment itself is what is tested
        subprocess.run(["docker", "kill", name], check=False, capture_output=True)
        return said_by(name)


@pytest.fixture(scope="module")
def first_start_seconds(tmp_path_factory: pytest.TempPathFactory) -> float:
    """How long a first start takes here and now, to the message that it ends with."""
    with prepared(new_stack(tmp_path_factory.mktemp("measured"))) as stack:
        stack.compose("create", "--no-build")
        with started_alone(stack.project) as name:
            begin = time.monotonic()
            poll(lambda: "made up now" in said_by(name) or None, wanted="the message of the start")
            return time.monotonic() - begin


@pytest.mark.parametrize("point", range(POINTS))
def test_the_start_after_a_killed_one_serves(own_stack: MakeStack, first_start_seconds: float, point: int) -> None:
    stack = own_stack()
    stack.compose("create", "--no-build")
    killed = start_and_kill(stack.project, 1.1 * first_start_seconds * point / (POINTS - 1))
    stack.compose("start")
    poll(lambda: stack.container.attrs["State"]["Health"]["Status"] == "healthy" or None, wanted="health")
    # The last password that was shown is the one that opens, whenever the kill came.
    said = killed + stack.log()
    password = [line.split()[1] for line in said.splitlines() if "made up now" in line][-1]
    with Client(stack.url, stack.authority()) as client:
        assert client.login(password).status_code == 302
    assert stack.shell(WORKS).startswith("pip ")


UNFINISHED = {
    "no scripts yet": "rm bin/activate* bin/Activate* bin/pip*",
    "half of the scripts": "rm bin/activate.fish bin/pip*",
    "no activate": "rm bin/activate",
    "one pip alone": "rm bin/pip3",
    "a pip that is no program yet": "chmod 644 bin/pip3",
    "without the packages below": "sed -i 's/packages = true/packages = false/' pyvenv.cfg",
    "no settings": ": >pyvenv.cfg",
}


@pytest.mark.parametrize("damage", UNFINISHED.values(), ids=UNFINISHED.keys())
def test_a_virtual_environment_that_was_not_made_to_its_end_is(own_stack: MakeStack, damage: str) -> None:
    stack = own_stack()
    run = ["run", "--rm", "-T", "workhorse", "bash", "-euc"]
    stack.compose(*run, f"cd ~/venv && echo mine >mine.txt && {damage}")
    stack.compose(*run, f"{WORKS} && cd ~/venv && cat mine.txt && bin/python -c 'import numpy'")
