"""Another clone in the place of what was started last."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.files.places import Places
from entrypoint.report.installation import (
    changes,
    clone_of,
    find_clone,
    keep_installation,
    read_clone,
    tell_new_volumes,
)

MOUNTS = """\
1053 1046 254:0 /home/ada/my\\040lab/image/empty /run/secrets/jupyter_password ro,relatime - ext4 /dev/vda rw
1054 1046 254:0 /etc/ssl/certs/company.pem /run/secrets/ca ro,relatime - ext4 /dev/vda rw
1055 1046 254:0 /home/ada/my\\040lab/repositories /repositories rw,relatime - ext4 /dev/vda rw
"""


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.state, tmp_path / "proc/self"):
        folder.mkdir(parents=True)
    mount(places, MOUNTS)
    return places


def mount(places: Places, mounts: str) -> None:
    (places.root / "proc/self/mountinfo").write_text(mounts)


def test_another_clone_is_told_with_the_line_that_makes_it_an_installation_of_its_own() -> None:
    (problem,) = changes("/home/ada/workhorse", "/home/bob/workhorse")
    assert "from the clone in /home/ada/workhorse, and now from /home/bob/workhorse" in problem.what
    assert "COMPOSE_PROJECT_NAME=workhorse-2" in problem.remedy
    assert [*changes("", "/home/bob/workhorse"), *changes("/home/ada/workhorse", ""), *changes("/a", "/a")] == []


def test_the_clone_is_read_from_the_mounts() -> None:
    assert clone_of(MOUNTS) == "/home/ada/my\\040lab"
    assert clone_of("") == ""
    assert clone_of(MOUNTS.replace("/image/empty", "/password.txt")) == ""


def test_another_clone_is_told_once(places: Places) -> None:
    assert keep_installation(places) == []
    mount(places, MOUNTS.replace("/home/ada", "/home/bob"))
    (told,) = keep_installation(places)
    assert "now from /home/bob/my\\040lab" in told
    assert keep_installation(places) == []


def test_a_clone_that_cannot_be_told_leaves_the_one_before_known(places: Places) -> None:
    keep_installation(places)
    mount(places, MOUNTS.replace("/image/empty", "/password.txt"))
    assert keep_installation(places) == []
    assert read_clone(places.installation) == "/home/ada/my\\040lab"
    (places.root / "proc/self/mountinfo").unlink()
    assert find_clone(places) == ""


def test_what_was_kept_before_there_was_a_wall_is_read(places: Places) -> None:
    places.installation.write_text('{"clone": "/home/ada/workhorse", "device": 8, "inode": 77, "is_empty": false}')
    assert read_clone(places.installation) == "/home/ada/workhorse"


@pytest.mark.parametrize("text", ["", "{}", "[]", "[" * 5000, '{"clone": 1}', '{"clone": "\\u001b[2J"}'])
def test_what_is_damaged_is_not_known(places: Places, text: str) -> None:
    places.installation.write_text(text)
    assert read_clone(places.installation) == ""
    assert keep_installation(places) == []
    assert read_clone(places.installation) == find_clone(places)


def test_whoever_had_volumes_by_the_former_name_is_told_how_to_keep_them(places: Places) -> None:
    told = tell_new_volumes(places)
    assert told and "COMPOSE_PROJECT_NAME=workhorse into .env" in told
    for name in ("workhorse", "workhorse-ada"):
        mount(places, MOUNTS.replace("my\\040lab", name))
        assert tell_new_volumes(places) is None
    mount(places, "")
    assert tell_new_volumes(places) is None
