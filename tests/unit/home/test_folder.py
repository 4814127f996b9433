"""An empty folder in the place of the one that was served last."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from entrypoint.files.places import Places
from entrypoint.home.folder import host_folder_of, is_another, kept_in, tell_folder

NAME = "./repositories"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.home, places.repositories, places.server_run):
        folder.mkdir(parents=True)
    return places


def unmount(places: Places) -> Path:
    disk = places.repositories.rename(places.root / "disk")
    places.repositories.mkdir()
    return disk


def test_a_missing_disk_is_told_until_it_is_there(places: Places) -> None:
    (places.repositories / "work.ipynb").touch()
    assert tell_folder(places, NAME) == []
    disk = unmount(places)
    for _ in range(2):
        (told,) = tell_folder(places, NAME)
        assert told.what == "The notebooks' folder ./repositories is empty, and another one than was served last."
        assert told.remedy.endswith("docker compose restart lab kernels")
        assert is_another(places)
    places.repositories.rmdir()
    disk.rename(places.repositories)
    assert tell_folder(places, NAME) == []
    assert not is_another(places)


def test_another_folder_with_work_in_it_is_what_the_person_has_chosen(places: Places) -> None:
    (places.repositories / "work.ipynb").touch()
    tell_folder(places, NAME)
    unmount(places)
    (places.repositories / "other.ipynb").touch()
    assert tell_folder(places, NAME) == []


def test_nobody_misses_what_was_in_an_empty_folder(places: Places) -> None:
    (places.repositories / "work.ipynb").touch()
    tell_folder(places, NAME)
    (places.repositories / "work.ipynb").unlink()
    assert tell_folder(places, NAME) == []
    unmount(places)
    assert tell_folder(places, NAME) == []


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", "[" * 5000, '{"device": "x", "inode": 1}', '{"device": 1e999, "inode": 1}']
)
def test_what_is_damaged_is_not_known(places: Places, text: str) -> None:
    kept_in(places).write_text(text)
    assert tell_folder(places, NAME) == []


def test_whatever_a_notebook_puts_in_the_way_no_start_is_held_up(places: Places) -> None:
    (places.repositories / "work.ipynb").touch()
    os.mkfifo(kept_in(places))
    assert tell_folder(places, NAME) == []
    kept_in(places).unlink()
    kept_in(places).mkdir()
    assert tell_folder(places, NAME) == []
    kept_in(places).unlink()
    kept_in(places).symlink_to(kept_in(places))
    assert tell_folder(places, NAME) == []


def test_what_the_host_calls_the_folder_is_known_later(places: Places) -> None:
    assert host_folder_of(places) == str(places.repositories)
    tell_folder(places, "/data/no\udcfftebooks")
    assert host_folder_of(places) == "/data/no\udcfftebooks"
