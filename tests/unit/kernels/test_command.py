"""What the command in a terminal of JupyterLab names is what there is at the door."""

from __future__ import annotations

from entrypoint.commands.check import COMMANDS as CHECK
from entrypoint.commands.cli import COMMANDS
from entrypoint.kernels.command import AT_THE_DOOR, LINES


def test_every_command_of_the_door_is_named_in_the_lab_and_no_other() -> None:
    named = [name for name, _ in AT_THE_DOOR] + list(LINES)
    assert len(named) == len(set(named))
    # A health check is Docker's to ask for, and `check` is a start's.
    assert {*named, "healthcheck"} == {command.name for command in COMMANDS} | {CHECK[0][0]}
