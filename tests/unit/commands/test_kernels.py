"""What would end with the service of what runs, and whether any of it is busy."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from entrypoint.commands.kernels import is_busy, kernels, lines
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from tests.labs import StandInLab
from tests.unit.system.test_kernels_report import KERNEL, REPORT

IDLE = replace(KERNEL, notebook="idle.ipynb", state="idle")
NOTHING = replace(REPORT, kernels=())


def test_the_busy_ones_stand_first_and_the_exit_status_says_that_there_are_some(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = replace(REPORT, kernels=(IDLE, KERNEL), terminals=("terminal 1: python",))
    with StandInLab(Places(tmp_path), report):
        assert kernels(Places(tmp_path), Namespace()) == 1
    assert capsys.readouterr().out.splitlines() == [
        "course/1.ipynb (Python 3): busy, since 2026-11-28 12:30 UTC, 1.5 GiB",
        "idle.ipynb (Python 3): idle, since 2026-11-28 12:30 UTC, 1.5 GiB",
        "terminal 1: python",
    ]


@pytest.mark.parametrize(
    ("state", "busy"), [("idle", False), ("dead", False), ("busy", True), ("starting", True), ("unknown", True)]
)
def test_what_may_compute_counts_as_busy(state: str, busy: bool) -> None:
    assert is_busy(replace(REPORT, kernels=(replace(KERNEL, state=state),))) is busy


def test_a_program_in_a_terminal_is_busy_and_where_nothing_runs_a_line_says_so() -> None:
    assert is_busy(replace(NOTHING, terminals=("terminal 1: rsync",)))
    assert not is_busy(NOTHING)
    assert list(lines(NOTHING)) == ["No kernel runs, and no program in a terminal."]


def test_more_than_are_read_at_a_glance_are_counted_and_none_of_the_busy_is_left_out() -> None:
    told = list(lines(replace(NOTHING, kernels=(*[IDLE] * 30, KERNEL))))
    assert told[0].startswith("course/1.ipynb")
    assert told[-1] == "and 11 more kernels"


def test_what_is_not_known_is_no_consent(tmp_path: Path) -> None:
    with pytest.raises(WorkhorseError, match="does not answer"):
        kernels(Places(tmp_path), Namespace())
