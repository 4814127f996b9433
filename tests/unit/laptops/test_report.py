"""What is told of laptops, whatever stands in Syncthing's place."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from entrypoint.files.places import Places
from entrypoint.laptops.changed_by import Change, find_change
from entrypoint.laptops.command import run
from entrypoint.laptops.pairing import keep_pairing
from entrypoint.laptops.report import LaptopReport, Part, SyncReport, ask_for_report, sync_lines
from entrypoint.proxy.asking import NoAnswerError
from entrypoint.report.audit import judge_laptops
from entrypoint.settings.settings import from_environ
from tests.labs import StandInLab
from tests.unit.laptops.test_device_id import ID

NOW = datetime(2026, 11, 29, tzinfo=UTC)
NOTHING = Part(0, 0)
ADA = LaptopReport(ID, "ada", True, datetime(2026, 11, 28, 17, tzinfo=UTC), True, NOTHING)
REPORT = SyncReport((ADA,), NOTHING, "", (), ())
NONSENSE = (b"", b"[", b"[]", b"\xff", b"1", b"null", b"{}", b'{"errors": 1}', b"[" * 100_000, b"0" * (2 << 20))
CALLED = "ada (74DQ62X)"


def of(**told: Any) -> SyncReport:
    return replace(REPORT, laptops=(replace(ADA, **told),))


class SyncPlaces(Places):
    """Where what stands in a lab's place stands in Syncthing's."""

    @property
    def kernels_socket(self) -> Path:
        return self.sync_socket


@pytest.fixture
def places(tmp_path: Path) -> SyncPlaces:
    places = SyncPlaces(tmp_path)
    for folder in (places.state, places.pairing.parent):
        folder.mkdir(parents=True)
    keep_pairing(places, NOW, print)
    run(places, Namespace(action="pair", device=ID, name="ada", all=False, another=False))
    return places


@pytest.mark.parametrize("answer", NONSENSE)
def test_nonsense_is_told_like_absence(places: SyncPlaces, answer: bytes) -> None:
    with StandInLab(places, answer):
        with pytest.raises(NoAnswerError) as error:
            ask_for_report(places)
        assert str(error.value).isprintable()
        assert len(str(error.value)) < 1000
        assert find_change(places, "fit.ipynb") == Change()
        (finding,) = judge_laptops(from_environ({}), places, NOW)
        assert "could not be judged" in finding.what


def test_a_start_of_the_door_survives_it(places: SyncPlaces) -> None:
    for answer in NONSENSE:
        with StandInLab(places, answer):
            keep_pairing(places, NOW, print)


@pytest.mark.parametrize(
    ("report", "line"),
    [
        (REPORT, f"{CALLED}: connected, both have everything"),
        (replace(REPORT, missing=Part(2, 1_500_000)), f"{CALLED}: connected, 2 files, 1.5 MB to come here"),
        (of(missing=Part(1, 300)), f"{CALLED}: connected, 1 file, 0.3 kB to go there"),
        (of(takes_part=False), f"{CALLED}: connected, but it has not added the folder yet"),
        (
            of(is_connected=False, missing=Part(3, 0)),
            f"{CALLED}: away, last seen 2026-11-28 17:00 UTC; 3 files, 0.0 kB wait for it",
        ),
        (of(is_connected=False, last_seen=None), f"{CALLED}: away, not seen yet"),
        (replace(REPORT, laptops=()), "none paired"),
    ],
)
def test_a_line_says_how_far_both_are(report: SyncReport, line: str) -> None:
    assert list(sync_lines(report)) == [line]


def test_of_many_conflicts_some_are_named_and_all_are_counted() -> None:
    lines = list(sync_lines(replace(REPORT, conflicts=tuple(map(str, range(25))))))
    assert lines[1] == "25 files changed in two places at once, and kept in both versions:"
    assert lines[-1] == "  and 15 more"
    assert len(lines) == 13
    assert "too many files" in list(sync_lines(replace(REPORT, conflicts=None)))[1]
