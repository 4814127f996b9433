"""A start that is killed at any moment leaves nothing that the next start can't use."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from docker.models.containers import Container

from tests.clients import Client
from tests.stacks import IMAGE, KERNELS, KERNELS_IMAGE, LAB_IMAGE, SERVICES, Stack, new_stack, poll, prepared

MakeStack = Callable[..., Stack]
POINTS = 30
# By their paths, since the default kernel's own pip stands behind them.
WORKS = "cd ~/venv/bin && test -e activate && test -e activate.fish && ./pip3 --version >/dev/null && ./pip --version"


@dataclass(frozen=True)
class Side:
    """One of the three: its image, the volumes that its start writes to, and how it shows that the start is over."""

    image: str
    volumes: dict[str, str]
    is_over: Callable[[str], bool]


DOOR_SIDE = Side(IMAGE, {"state": "/var/lib/workhorse"}, lambda name: "made up now" in said_by(name))
LAB_SIDE = Side(LAB_IMAGE, {"home": "/home/workhorse", "socket": "/run/lab"}, lambda name: has_socket(name, "lab"))
KERNELS_SIDE = Side(
    KERNELS_IMAGE,
    {"home": "/home/workhorse", "kernels": "/run/kernels"},
    lambda name: has_socket(name, "kernels"),
)
SIDES = (DOOR_SIDE, LAB_SIDE, KERNELS_SIDE)


def has_socket(name: str, service: str) -> bool:
    asked = subprocess.run(["docker", "exec", name, "/usr/bin/test", "-S", f"/run/{service}/socket"], check=False)
    return asked.returncode == 0


@contextmanager
def started_alone(project: str, side: Side) -> Iterator[str]:
    """Starts a container on the project's empty volumes; yields its name, and removes it."""
    name = f"{project}-killed"
    volumes = [word for name, place in side.volumes.items() for word in ("-v", f"{project}_{name}:{place}")]
    subprocess.run(["docker", "run", "-d", "--name", name, *volumes, side.image], check=True, capture_output=True)
    try:
        yield name
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)


def said_by(name: str) -> str:
    return subprocess.run(["docker", "logs", name], check=True, capture_output=True, text=True).stdout


def start_and_kill(project: str, side: Side, seconds: float) -> str:
    """Kills a start after a while; returns what it said."""
    with started_alone(project, side) as name:
        time.sleep(seconds)  # the moment itself is what is tested
        subprocess.run(["docker", "kill", name], check=False, capture_output=True)
        return said_by(name)


@pytest.fixture(scope="module")
def first_start_seconds(tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """How long a first start of each takes here and now, to its very end."""
    with prepared(new_stack(tmp_path_factory.mktemp("measured"))) as stack:
        stack.compose("create", "--no-build")
        return {side.image: seconds_of_a_start(stack.project, side) for side in SIDES}


def seconds_of_a_start(project: str, side: Side) -> float:
    with started_alone(project, side) as name:
        begin = time.monotonic()
        poll(lambda: side.is_over(name) or None, wanted="the end of the start")
        return time.monotonic() - begin


@pytest.mark.parametrize("point", range(POINTS))
def test_the_start_after_a_killed_one_serves(
    own_stack: MakeStack, first_start_seconds: dict[str, float], point: int
) -> None:
    stack = own_stack()
    stack.compose("create", "--no-build")
    killed, *_ = (
        start_and_kill(stack.project, side, 1.1 * first_start_seconds[side.image] * point / (POINTS - 1))
        for side in SIDES
    )
    stack.compose("start")
    poll(lambda: {health(stack.container_of(each)) for each in SERVICES} == {"healthy"} or None, wanted="health")
    # The last password that was shown is the one that opens, whenever the kill came.
    said = killed + stack.log()
    password = [line.split()[1] for line in said.splitlines() if "made up now" in line][-1]
    with Client(stack.url, stack.authority()) as client:
        assert client.login(password).status_code == 302
        assert client.run("print(6 * 7)") == "42\n"
    assert stack.shell(WORKS).startswith("pip ")


def health(container: Container) -> str:
    return str(container.attrs["State"]["Health"]["Status"])


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
    run = ["run", "--rm", "-T", KERNELS, "bash", "-euc"]
    stack.compose(*run, f"cd ~/venv && echo mine >mine.txt && {damage}")
    stack.compose(*run, f"{WORKS} && cd ~/venv && cat mine.txt && bin/python -c 'import numpy'")
