"""What `workhorse audit` finds weak."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrypoint.door.state import replace_password_hash, write_password_hash
from entrypoint.files.places import Places
from entrypoint.login.password import hash_password, settle_password
from entrypoint.login.second_factor import new_second_factor, to_json
from entrypoint.report.audit import BUILT, judge_door, judge_memory, judge_password, judge_walls
from entrypoint.settings.settings import from_environ

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
        == "Choose a longer one in the file that JUPYTER_PASSWORD_FILE names, then: docker compose restart"
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
def walls(tmp_path: Path) -> Places:
    """An image of yesterday with a limit of memory, and a folder that is its owner's."""
    places = Places(tmp_path)
    places.repositories.mkdir(mode=0o755)
    for name in BUILT:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
        age(tmp_path / name, 1)
    (tmp_path / "sys/fs/cgroup").mkdir(parents=True)
    (tmp_path / "sys/fs/cgroup/memory.max").write_text("2147483648\n")
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/meminfo").write_text("MemTotal:       24117248 kB\n")
    return places


def age(file: Path, days: float) -> None:
    time = NOW.timestamp() - days * 86400
    os.utime(file, (time, time))


def found(places: Places) -> list[tuple[str, str]]:
    settings = from_environ({"REPOSITORIES": "/data/notebooks"})
    return [(finding.what, finding.remedy) for finding in judge_walls(settings, places, NOW)]


def test_sound_walls_have_no_weakness(walls: Places) -> None:
    assert found(walls) == []


def test_a_folder_that_everybody_may_write_to_is_weak(walls: Places) -> None:
    walls.repositories.chmod(0o777)
    ((weakness, remedy),) = found(walls)
    assert "Everybody on the host may write" in weakness
    assert remedy == "On the host: chmod o-w /data/notebooks"


@pytest.mark.parametrize("name", BUILT)
def test_an_image_is_as_old_as_its_oldest_layer(walls: Places, name: str) -> None:
    age(walls.root / name, 90)
    assert found(walls) == []
    age(walls.root / name, 91)
    ((weakness, remedy),) = found(walls)
    assert weakness.startswith("The image is 91 days old")
    assert "--no-cache" in remedy


def test_memory_without_a_limit_is_weak(walls: Places) -> None:
    (walls.root / "sys/fs/cgroup/memory.max").write_text("max\n")
    ((weakness, remedy),) = found(walls)
    assert weakness == "Notebooks may take all of this machine's memory, 23.0 GiB."
    assert remedy.endswith(": MEMORY_LIMIT=20g")


@pytest.mark.parametrize(("machine", "proposed"), [(64, "56g"), (9, "8064m"), (0.5, "448m")])
def test_a_limit_of_memory_leaves_something_to_the_machine(machine: float, proposed: str) -> None:
    size = int(machine * 2**30)
    assert list(judge_memory(size - 1, size)) == []
    assert list(judge_memory(size, 0)) == []
    for limit in (size, 2 * size):
        (finding,) = judge_memory(limit, size)
        assert "no less than all" in finding.what
        assert finding.remedy.endswith(f": MEMORY_LIMIT={proposed}")
