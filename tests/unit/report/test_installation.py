"""Another clone, or another folder, in the place of what was served last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from entrypoint.files.places import Places
from entrypoint.report.installation import (
    Installation,
    changes,
    clone_of,
    find_installation,
    keep_installation,
    read_installation,
    tell_new_volumes,
    write_installation,
)

BEFORE = Installation("/home/ada/workhorse", 8, 77, is_empty=False)
MOUNTS = """\
1053 1046 254:0 /home/ada/my\\040lab/image/empty /run/secrets/jupyter_password ro,relatime - ext4 /dev/vda rw
1054 1046 254:0 /etc/ssl/certs/company.pem /run/secrets/ca ro,relatime - ext4 /dev/vda rw
1055 1046 254:0 /home/ada/my\\040lab/repositories /repositories rw,relatime - ext4 /dev/vda rw
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.state, places.repositories, tmp_path / "proc/self"):
        folder.mkdir(parents=True)
    (tmp_path / "proc/self/mountinfo").write_text(MOUNTS)
    return places


def told(now: Installation, before: Installation | None = BEFORE) -> list[str]:
    return [problem.what for problem in changes(before, now, "./repositories")]


def test_what_was_served_last_is_nothing_to_tell() -> None:
    assert told(BEFORE) == told(BEFORE, None) == []
    # Emptied, and by that the same still.
    assert told(replace(BEFORE, is_empty=True)) == []
    # Another folder with work in it is what the person has chosen.
    assert told(replace(BEFORE, inode=78)) == []


def test_an_empty_folder_in_the_place_of_a_full_one_is_told() -> None:
    for now in (replace(BEFORE, inode=78, is_empty=True), replace(BEFORE, device=9, is_empty=True)):
        assert told(now) == ["The notebooks' folder ./repositories is empty, and another one than was served last."]
        assert told(now, replace(BEFORE, is_empty=True)) == []


def test_another_clone_is_told_with_the_line_that_makes_it_an_installation_of_its_own() -> None:
    (problem,) = changes(BEFORE, replace(BEFORE, clone="/home/bob/workhorse"), "./repositories")
    assert "from the clone in /home/ada/workhorse, and now from /home/bob/workhorse" in problem.what
    assert "COMPOSE_PROJECT_NAME=workhorse-2" in problem.remedy
    assert told(replace(BEFORE, clone="")) == told(BEFORE, replace(BEFORE, clone="")) == []


def test_the_clone_is_read_from_the_mounts() -> None:
    assert clone_of(MOUNTS) == "/home/ada/my\\040lab"
    assert clone_of("") == ""
    assert clone_of(MOUNTS.replace("/image/empty", "/password.txt")) == ""


def test_a_missing_disk_is_told_until_it_is_there(places: Places) -> None:
    (places.repositories / "work.ipynb").touch()
    assert keep_installation(places, "./repositories") == []
    disk = places.repositories.rename(places.root / "disk")
    places.repositories.mkdir()
    assert len(keep_installation(places, "./repositories")) == len(keep_installation(places, "./repositories")) == 1
    places.repositories.rmdir()
    disk.rename(places.repositories)
    assert keep_installation(places, "./repositories") == []


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 5000, '{"clone": 1, "device": 1, "inode": 1, "is_empty": 1}',
                                  '{"clone": "\\u001b[2J", "device": 1, "inode": 1, "is_empty": false}'])  # fmt: skip
def test_what_is_damaged_is_not_known(places: Places, text: str) -> None:
    places.installation.write_text(text)
    assert read_installation(places.installation) is None
    write_installation(places.installation, found := find_installation(places))
    assert read_installation(places.installation) == found


def test_whoever_had_volumes_by_the_former_name_is_told_how_to_keep_them() -> None:
    told = tell_new_volumes("/home/ada/lab")
    assert told and "COMPOSE_PROJECT_NAME=workhorse into .env" in told
    assert tell_new_volumes("/home/ada/workhorse") is tell_new_volumes("") is None
