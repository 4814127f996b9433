"""The lab is made anew or killed while a cell prints: no kernel, session or terminal notices."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stack.test_faults import started_at
from tests.stacks import DOOR, KERNELS, LAB, Stack, poll

LINES = 60
PRINTING = f"""
from time import sleep
for n in range({LINES}):
    print('line', n)
    open('/repositories/printed', 'w').write(str(n))
    sleep(0.5)
kept = 'kept'
"""


def recreated(stack: Stack) -> None:
    stack.compose("up", "-d", "--no-build", "--wait", "--force-recreate", LAB)


def killed(stack: Stack) -> None:
    # Not by Docker, which takes that for a stop by hand.
    os.kill(stack.lab.attrs["State"]["Pid"], signal.SIGKILL)


def out_of_memory(stack: Stack) -> None:
    """As far as JupyterLab sees of it: the system ends it, and it alone."""
    # The shell may end with the container.
    stack.lab_shell("kill -9 $(pgrep -P 1 -f entrypoint.lab.server)", check=False)


def is_at_line(file: Path, number: int) -> bool:
    text = file.read_text() if file.exists() else ""
    return text.isdigit() and int(text) >= number


@pytest.fixture
def session(client: Client) -> Iterator[dict[str, str]]:
    """A notebook's, with the id of its kernel."""
    model: dict[str, object] = {"path": "a.ipynb", "name": "a.ipynb", "type": "notebook", "kernel": {"name": "python3"}}
    made = client.api("POST", "sessions", **model)
    yield {"id": made["id"], "kernel": made["kernel"]["id"]}
    client.api("DELETE", f"sessions/{made['id']}")


@pytest.mark.parametrize("change", [recreated, killed, out_of_memory])
def test_what_runs_goes_on_without_the_lab(
    stack: Stack, client: Client, session: dict[str, str], change: Callable[[Stack], None]
) -> None:
    terminal = client.api("POST", "terminals")["name"]
    kernel = Kernel(client, session["kernel"])
    before = {service: started_at(stack, service) for service in (DOOR, LAB, KERNELS)}
    with ThreadPoolExecutor(1) as beside:
        printed = beside.submit(kernel.run, PRINTING)
        file = stack.repositories / "printed"
        poll(lambda: is_at_line(file, 4) or None, wanted="some lines")
        change(stack)
        poll(lambda: started_at(stack, LAB) != before[LAB] or None, wanted="another lab")
        assert printed.result() == "".join(f"line {n}\n" for n in range(LINES))
    file.unlink()
    # The lab answers again, and so does everything that it was once asked for.
    assert client.api("GET", "contents")["type"] == "directory"
    assert kernel.run("print(kept)") == "kept\n"
    assert Kernel(client, session["kernel"]).run("print(kept)") == "kept\n"
    assert [(each["id"], each["kernel"]["id"]) for each in client.api("GET", "sessions")] == [tuple(session.values())]
    assert terminal in [each["name"] for each in client.api("GET", "terminals")]
    assert [started_at(stack, service) for service in (DOOR, KERNELS)] == [before[DOOR], before[KERNELS]]
    client.api("DELETE", f"terminals/{terminal}")


def test_a_kernel_is_started_and_answers_while_there_is_no_lab(stack: Stack, client: Client) -> None:
    stack.compose("stop", "-t", "1", LAB)
    try:
        assert client.run("print(6 * 7)") == "42\n"
    finally:
        stack.up()


def test_a_limit_of_memory_is_the_kernels_alone(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    before = {service: stack.container_of(service).id for service in (LAB, KERNELS)}
    stack.set(MEMORY_LIMIT="1g")
    stack.up()
    assert stack.lab.id == before[LAB]
    assert stack.kernels.id != before[KERNELS]
    assert [stack.container_of(each).attrs["HostConfig"]["Memory"] for each in (LAB, KERNELS)] == [0, 2**30]
