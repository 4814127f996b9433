"""What `workhorse audit` finds weak."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrypoint.door.state import replace_password_hash, write_password_hash
from entrypoint.files.places import Places
from entrypoint.login.password import hash_password, settle_password
from entrypoint.login.second_factor import new_second_factor, to_json
from entrypoint.report.audit import judge_door, judge_image, judge_kernels, judge_memory, judge_password, judge_secrets
from entrypoint.settings.settings import from_environ
from entrypoint.system.folder import Folder
from entrypoint.system.image import BUILT, built
from entrypoint.system.kernels_report import KernelsReport
from tests.labs import StandInLab

GOOD = "four words of my choice"
NOW = datetime(2026, 6, 30, tzinfo=UTC)


def weaknesses(**environ: str) -> str:
    return " ".join(finding.what for finding in judge_password(from_environ(environ), Places(Path("/nowhere"))))


def test_a_short_password_is_weak_and_never_shown() -> None:
    findings = list(judge_password(from_environ({"JUPYTER_PASSWORD": "sesame-9"}), Places(Path("/nowhere"))))
    assert "8 characters" in findings[0].what
    assert not any("sesame" in finding.what + finding.remedy for finding in findings)


def test_a_password_in_a_file_is_mended_there(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("sesame-9")
    settings = from_environ({"JUPYTER_PASSWORD_FILE": str(file)})
    (finding,) = judge_password(settings, Places(Path("/nowhere")))
    assert (
        finding.remedy
        == "Choose a longer one in the file that JUPYTER_PASSWORD_FILE names, then: docker compose restart workhorse"
    )


def test_a_password_of_few_characters_is_weak() -> None:
    assert "repeats" in weaknesses(JUPYTER_PASSWORD="abababababababababab")
    assert "repeats" not in weaknesses(JUPYTER_PASSWORD=GOOD)


def test_a_generated_password_may_still_stand_in_the_log_until_it_is_replaced(tmp_path: Path) -> None:
    places, settings = Places(tmp_path), from_environ({})
    places.state.mkdir(parents=True)
    write_password_hash(places, settle_password(None, None))
    assert ["log" in finding.what for finding in judge_password(settings, places)] == [True]
    replace_password_hash(places, hash_password(GOOD))
    assert list(judge_password(settings, places)) == []


def test_a_password_in_a_file_is_not_weak(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(GOOD)
    assert weaknesses(JUPYTER_PASSWORD_FILE=str(file)) == ""
    assert "docker inspect" in weaknesses(JUPYTER_PASSWORD=GOOD)


@pytest.mark.parametrize(("address", "is_weak"), [("0.0.0.0", True), ("127.0.0.1", False)])  # noqa: S104  # as in .env
def test_an_open_door_without_a_second_factor_is_weak(tmp_path: Path, address: str, is_weak: bool) -> None:
    settings = from_environ({"JUPYTER_PASSWORD": GOOD, "BIND_ADDRESS": address})
    found = " ".join(finding.what for finding in judge_door(settings, Places(tmp_path)))
    assert ("only lock" in found) is is_weak
    assert ("browsers trust" in found) is is_weak


def test_a_second_factor_that_nobody_enrolled_locks_everybody_out(tmp_path: Path) -> None:
    settings = from_environ({"JUPYTER_PASSWORD": GOOD, "TOTP": "on", "BIND_ADDRESS": "127.0.0.1"})
    places = Places(tmp_path)
    assert ["TOTP is on" in finding.what for finding in judge_door(settings, places)] == [True]
    places.state.mkdir(parents=True)
    places.second_factor.write_text(to_json(new_second_factor()[0])[:-9])
    assert ["TOTP is on" in finding.what for finding in judge_door(settings, places)] == [True]
    places.second_factor.write_text(to_json(new_second_factor()[0]))
    assert list(judge_door(settings, places)) == []


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[StandInLab]:
    """A lab of yesterday with a limit of memory, and a folder that is its owner's, on a machine of 23 GiB."""
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:       24117248 kB\n")
    with StandInLab(Places(tmp_path), told()) as lab:
        yield lab


def told() -> KernelsReport:
    folder = Folder(1000, 1000, 0o755, 1000, 1000, is_writable=True, is_read_only=False)
    return KernelsReport((), folder, (), 2 << 30, "/anything", NOW - timedelta(days=1))


def found(lab: StandInLab) -> list[tuple[str, str]]:
    settings = from_environ({"REPOSITORIES": "/data/notebooks"})
    return [(finding.what, finding.remedy) for finding in judge_kernels(settings, lab.places, NOW)]


def test_a_sound_lab_has_no_weakness(lab: StandInLab) -> None:
    assert found(lab) == []


def test_a_folder_that_everybody_may_write_to_is_weak_and_its_line_is_composed_at_the_door(lab: StandInLab) -> None:
    lab.answer = replace(told(), folder=replace(told_folder(), mode=0o777), repositories="/; sudo rm -rf /")
    ((weakness, remedy),) = found(lab)
    assert "Everybody on the host may write" in weakness
    assert remedy == "On the host: chmod o-w '/data/notebooks'"


def told_folder() -> Folder:
    folder = told().folder
    assert folder
    return folder


def test_an_old_image_is_weak_on_either_side_of_the_wall(lab: StandInLab) -> None:
    lab.answer = replace(told(), image_built=NOW - timedelta(days=90))
    assert found(lab) == []
    lab.answer = replace(told(), image_built=NOW - timedelta(days=91))
    ((weakness, remedy),) = found(lab)
    assert weakness.startswith("The kernels' image is 91 days old")
    assert "--no-cache" in remedy
    (finding,) = judge_image("The door's", NOW - timedelta(days=91), NOW)
    assert finding.what.startswith("The door's image is 91 days old")
    assert [*judge_image("The door's", None, NOW), *judge_image("The door's", NOW - timedelta(days=90), NOW)] == []


def test_an_image_is_as_old_as_its_oldest_layer(tmp_path: Path) -> None:
    assert built(tmp_path) is None
    for days, name in enumerate(BUILT):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        age(tmp_path / name, days)
    assert built(tmp_path) == NOW - timedelta(days=len(BUILT) - 1)


def age(file: Path, days: float) -> None:
    time = NOW.timestamp() - days * 86400
    os.utime(file, (time, time))


def test_memory_without_a_limit_is_weak(lab: StandInLab) -> None:
    lab.answer = replace(told(), memory_limit=None)
    ((weakness, remedy),) = found(lab)
    assert weakness == "Notebooks may take all of this machine's memory, 23.0 GiB."
    assert remedy.endswith(": MEMORY_LIMIT=20g")


def test_an_absent_lab_is_told_and_not_taken_for_a_sound_one(tmp_path: Path) -> None:
    (problem,) = judge_kernels(from_environ({}), Places(tmp_path), NOW)
    assert "could not be judged" in problem.what
    assert "docker compose up -d" in problem.remedy
    assert "docker compose logs kernels" in problem.remedy


def test_secrets_are_weak_that_notebooks_could_read_once(tmp_path: Path) -> None:
    places = Places(tmp_path)
    places.tls.path.mkdir(parents=True)
    secrets = (places.tls.authority, places.password_hash, places.cookie_secret)
    for file in (places.layout, *secrets):
        file.touch()
    assert list(judge_secrets(False, places)) == []
    age(places.layout, 0)
    for file in secrets:
        age(file, 1)
    ends = [finding.remedy.rpartition(" ")[2] for finding in judge_secrets(False, places)]
    assert ends == ["new-authority", "reset-password", "sign-out"]
    (places.cookie_secret).touch()
    authority, password = judge_secrets(True, places)
    assert authority.remedy.endswith("new-authority")
    assert "docker compose up -d" in password.remedy and "docker compose restart workhorse" in password.remedy


@pytest.mark.parametrize(("machine", "proposed"), [(64, "56g"), (9, "8064m"), (0.5, "448m")])
def test_a_limit_of_memory_leaves_something_to_the_machine(machine: float, proposed: str) -> None:
    size = int(machine * 2**30)
    assert list(judge_memory(size - 1, size)) == []
    assert list(judge_memory(size, 0)) == []
    for limit in (size, 2 * size):
        (finding,) = judge_memory(limit, size)
        assert "no less than all" in finding.what
        assert finding.remedy.endswith(f": MEMORY_LIMIT={proposed}")
