"""What the lab tells is judged before anybody believes it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from entrypoint.system.cards import Card
from entrypoint.system.folder import Folder
from entrypoint.system.kernels_report import (
    KERNELS_MAX,
    WORDS_MAX,
    Kernel,
    KernelsReport,
    as_json,
    judged,
    kernel_lines,
)

NOON = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
KERNEL = Kernel("f00", "Python 3", "course/1.ipynb", NOON, "busy", 3 << 29)
FOLDER = Folder(1000, 1000, 0o755, 1000, 1000, is_writable=True, is_read_only=False)
CARDS = (Card("NVIDIA A100-SXM4-80GB", 3 << 30, 80 << 30),)
REPORT = KernelsReport((KERNEL,), FOLDER, ("nbgrader can't work here.",), 2 << 30, "./repositories", NOON)


def sent(report: KernelsReport) -> Any:
    return json.loads(json.dumps(as_json(report)))


def test_what_is_told_is_what_is_read() -> None:
    least = KernelsReport((replace(KERNEL, notebook=None, started=None, memory=None),), None, (), None, "/data", None)
    for report in (REPORT, least, replace(REPORT, terminals=("terminal 1: python, rsync",), cards=CARDS)):
        assert judged(sent(report)) == report


@pytest.mark.parametrize("content", [None, [], "text", 7, {}, {"kernels": []}])
def test_what_is_no_report_is_refused(content: object) -> None:
    with pytest.raises(ValueError, match="it tells"):
        judged(content)


WRONG: list[object] = [[], {}, "word", True, -1, 1.5, 2**63, "9999-12-31T23:59:59-23:59", [[]], [1], [{}], ["a"] * 21]


def test_a_server_of_an_earlier_version_tells_nothing_of_terminals_and_cards() -> None:
    told = sent(REPORT)
    del told["terminals"], told["cards"]
    assert judged(told) == REPORT


@pytest.mark.parametrize(
    "name", ["kernels", "folder", "home", "memory_limit", "repositories", "image_built", "terminals", "cards"]
)
def test_values_of_another_kind_are_refused_or_harmless(name: str) -> None:
    for value in WRONG:
        told = {**sent(REPORT), name: value}
        try:
            report = judged(told)
        except ValueError as error:
            assert "\n" not in str(error)
        else:
            assert type(getattr(report, name)) in (tuple, str) or report.memory_limit == value


@pytest.mark.parametrize("name", ["uid", "gid", "mode", "user", "group", "is_writable", "is_gone", "is_another"])
@pytest.mark.parametrize("value", [None, "1", 1.0, -1, [], {}, 2**70, "; reboot"])
def test_of_the_folder_only_numbers_and_yes_or_no_are_believed(name: str, value: object) -> None:
    told = sent(REPORT)
    told["folder"][name] = value
    with pytest.raises(ValueError, match="one of its"):
        judged(told)


def test_no_text_can_do_anything_to_a_terminal() -> None:
    kernel = replace(KERNEL, id="\x1b[2J", name="a\nb", notebook="\u202etxt.ipynb", state="\x07")
    report = judged(sent(replace(REPORT, kernels=(kernel,), repositories="\r", home=("x\ny" * 10_000,))))
    (judged_kernel,) = report.kernels
    texts = (judged_kernel.id, judged_kernel.name, judged_kernel.notebook or "", report.repositories, *report.home)
    assert all(text.isprintable() and len(text) < 1000 for text in texts)
    assert judged_kernel.state == "unknown"


def test_more_than_anybody_runs_is_refused() -> None:
    for report in (
        replace(REPORT, kernels=(KERNEL,) * (KERNELS_MAX + 1)),
        replace(REPORT, home=("word",) * (WORDS_MAX + 1)),
    ):
        with pytest.raises(ValueError, match="one of more than"):
            judged(sent(report))


def test_a_person_reads_what_runs_where_and_since_when() -> None:
    assert list(kernel_lines(())) == ["none running"]
    console = replace(KERNEL, notebook=None, started=None, state="idle", memory=None)
    assert list(kernel_lines((KERNEL, console))) == [
        "2 running",
        "course/1.ipynb (Python 3): busy, since 2026-11-28 12:30 UTC, 1.5 GiB",
        "without a notebook (Python 3): idle",
    ]
    many = list(kernel_lines((KERNEL,) * 30))
    assert (many[0], len(many), many[-1]) == ("30 running", 22, "and 10 more")
