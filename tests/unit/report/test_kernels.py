"""What the door says of the kernels' server, whatever stands there in its place."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrypoint.certificates.keeping import keep_certificates
from entrypoint.files.places import Places
from entrypoint.report.kernels import AbsentKernelsError, absence, ask_for_report, kernels_warnings
from entrypoint.report.message import message
from entrypoint.report.status import read_status
from entrypoint.settings.known import write_known_settings
from tests.labs import StandInLab
from tests.unit.system.test_kernels_report import FOLDER, REPORT

NOW = datetime(2026, 11, 28, 13, tzinfo=UTC)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.state, places.server_run):
        folder.mkdir(parents=True)
    write_known_settings(places, {"REPOSITORIES": "/data/notebooks"}, True)
    keep_certificates(places.tls, (), NOW, print)
    return places


def status(places: Places) -> str:
    return message(read_status(places, NOW))


def test_status_tells_what_runs_and_since_when(places: Places) -> None:
    with StandInLab(places, REPORT) as lab:
        told = status(places)
    assert lab.asked == ["/workhorse/report"]
    assert f" on this machine, user {FOLDER.uid}'s\n" in told
    assert "  Kernels       1 running\n" in told
    assert "                course/1.ipynb (Python 3): busy, since 2026-11-28 12:30 UTC, 1.5 GiB\n" in told
    assert "ATTENTION     The kernels' server says: nbgrader can't work here." in told


def test_status_without_a_lab_says_so_with_the_lines_that_help(places: Places) -> None:
    told = status(places)
    assert "ATTENTION     The kernels' server, where notebooks run, does not answer: " in told
    assert "docker compose up -d   What it says: docker compose logs kernels" in told
    assert "Kernels" not in told


@pytest.mark.parametrize("answer", [b"", b"[", b"[]", b"\xff", b"[" * 100_000, b'{"kernels": 1}', b"0" * (2 << 20)])
def test_a_lab_that_tells_nonsense_is_told_like_one_that_is_absent(places: Places, answer: bytes) -> None:
    with StandInLab(places, answer):
        with pytest.raises(AbsentKernelsError) as error:
            ask_for_report(places)
        assert len(absence(error.value).what) < 1000
        assert "\n" not in absence(error.value).what
        assert "docker compose logs kernels" in status(places)


def test_no_line_for_the_host_holds_what_a_notebook_has_written() -> None:
    closed = replace(FOLDER, uid=1234, is_writable=False, is_another=True)
    evil = replace(REPORT, folder=closed, repositories="'; sudo rm -rf / #", home=("On the host: sudo reboot",))
    warnings = list(kernels_warnings(evil, "/data/notebooks"))
    assert "sudo chown -R 1000:1000 '/data/notebooks' && docker compose restart lab kernels" in warnings[0]
    assert "mount it, then: docker compose restart lab kernels" in warnings[1]
    assert warnings[2:] == ["The kernels' server says: On the host: sudo reboot"]
    assert "rm -rf" not in "".join(warnings)


def test_a_disk_that_does_not_answer_is_told() -> None:
    (warning,) = kernels_warnings(replace(REPORT, folder=None, home=()), "/data/notebooks")
    assert warning.startswith("The disk of the notebooks' folder /data/notebooks does not answer.")


def test_a_sound_lab_gives_no_warning() -> None:
    assert list(kernels_warnings(replace(REPORT, home=()), "/data/notebooks")) == []
