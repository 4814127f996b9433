"""What a test makes of the servers behind a running door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests import false_lab
from tests.stacks import KERNELS, LAB, REPOSITORY, Stack, poll

BEHIND = (LAB, KERNELS)
PROGRAM = REPOSITORY / "tests" / "false_lab.py"


@contextmanager
def in_their_place(stack: Stack, kind: str) -> Iterator[None]:
    """Other programs stand where Jupyter's servers listen, which go on beside them."""
    with ExitStack() as places:
        for service in BEHIND:
            places.enter_context(in_place_of(stack, service, kind))
        yield


@contextmanager
def in_place_of(stack: Stack, service: str, kind: str) -> Iterator[None]:
    shell, folder = stack.shell_of(service), f"/run/{service}"
    shell(f"rm -f {false_lab.HEADS}")
    # The last word is for pkill alone.
    command = ["/opt/server/bin/python", "-I", "-c", PROGRAM.read_text(), kind, folder, "false_lab_program"]
    stack.container_of(service).exec_run(command, user="1000", detach=True)
    poll(lambda: shell(f"ls {folder} | grep -x {false_lab.KEPT} || true") or None, wanted="the server's socket")
    try:
        yield
    finally:
        shell(f"pkill -f '[f]alse_lab_program' || true; mv -T {folder}/{false_lab.KEPT} {folder}/{false_lab.SOCKET}")


@contextmanager
def standing_still(stack: Stack) -> Iterator[None]:
    """They do nothing any more, while their sockets take connections as before."""
    servers = {service: f"$(pgrep -P 1 -f entrypoint.{service})" for service in BEHIND}
    for service, server in servers.items():
        stack.shell_of(service)(f"kill -STOP {server}")
    try:
        yield
    finally:
        for service, server in servers.items():
            stack.shell_of(service)(f"kill -CONT {server}")


def heads(stack: Stack, service: str) -> list[str]:
    """The heads of the requests that a noting server has seen."""
    text = stack.shell_of(service)(f"cat {false_lab.HEADS} 2>/dev/null || true")
    return [head for head in text.replace("\r\n", "\n").split("\n\n") if head.strip()]
