"""What a test makes of the lab behind a running door."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from tests import false_lab
from tests.stacks import REPOSITORY, Stack, poll

PROGRAM = REPOSITORY / "tests" / "false_lab.py"
GIVE_BACK = f"""
pkill -f '[f]alse_lab_program' || true
mv -T {false_lab.KEPT} {false_lab.SOCKET}
"""


@contextmanager
def in_place_of_the_lab(stack: Stack, kind: str) -> Iterator[None]:
    """Another program stands where JupyterLab listens, which goes on beside it."""
    stack.shell(f"rm -f {false_lab.HEADS}")
    # The last word is for pkill alone.
    command = ["/opt/server/bin/python", "-I", "-c", PROGRAM.read_text(), kind, "false_lab_program"]
    stack.lab.exec_run(command, user="1000", detach=True)
    poll(lambda: stack.shell(f"ls {false_lab.KEPT} 2>/dev/null", check=False) or None, wanted="the lab's socket")
    try:
        yield
    finally:
        stack.shell(GIVE_BACK)


@contextmanager
def standing_still(stack: Stack) -> Iterator[None]:
    """JupyterLab does nothing any more, while its socket takes connections as before."""
    server = "$(pgrep -P 1 -f entrypoint.lab.server)"
    stack.shell(f"kill -STOP {server}")
    try:
        yield
    finally:
        stack.shell(f"kill -CONT {server}")


def heads(stack: Stack) -> list[str]:
    """The heads of the requests that a noting lab has seen."""
    text = stack.shell(f"cat {false_lab.HEADS} 2>/dev/null", check=False)
    return [head for head in text.replace("\r\n", "\n").split("\n\n") if head.strip()]
