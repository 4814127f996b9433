"""The Trash: what is deleted can be had back for 30 days, from where everybody finds it; nothing else goes."""

from __future__ import annotations

import errno
import os
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tornado.web import HTTPError

from entrypoint.jupyter import saving, trash
from entrypoint.jupyter.files import Files
from entrypoint.jupyter.trash import MARK, count_files, empty_trash, is_in_trash, put_into_trash, tops

NOW = datetime(2026, 11, 29, 10, 15, 3)
DAY = "Trash/2026-11-29"


def lying(root: Path) -> set[str]:
    return {str(file.relative_to(root)) for file in root.rglob("*") if not file.is_dir() and file.name != MARK}


def test_a_deleted_thing_lies_below_its_day_by_the_way_that_led_to_it(tmp_path: Path) -> None:
    (tmp_path / "project" / "data").mkdir(parents=True)
    for name in ("data/a.csv", "data/b.csv", "notes.md"):
        (tmp_path / "project" / name).write_text(name)
    put_into_trash(tmp_path, tmp_path / "project" / "notes.md", NOW)
    put_into_trash(tmp_path, tmp_path / "project" / "data", NOW)
    assert lying(tmp_path) == {f"{DAY}/project/{name}" for name in ("data/a.csv", "data/b.csv", "notes.md")}


def test_what_is_deleted_twice_is_there_twice(tmp_path: Path) -> None:
    for text in ("first", "second", "third"):
        (tmp_path / "a.tar.gz").write_text(text)
        put_into_trash(tmp_path, tmp_path / "a.tar.gz", NOW)
    (tmp_path / "a.tar.gz").mkdir()
    (tmp_path / "a.tar.gz" / "in the way").write_text("fourth")
    put_into_trash(tmp_path, tmp_path / "a.tar.gz" / "in the way", NOW)
    assert sorted((tmp_path / name).read_text() for name in lying(tmp_path)) == ["first", "fourth", "second", "third"]
    assert f"{DAY}/a.tar (10.15.03).gz" in lying(tmp_path)


def test_a_link_goes_by_itself(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("kept")
    (tmp_path / "link").symlink_to("kept")
    put_into_trash(tmp_path, tmp_path / "link", NOW)
    assert (tmp_path / "kept").read_text() == "kept"
    assert (tmp_path / DAY / "link").is_symlink()


def test_after_30_days_it_goes_and_what_a_person_put_there_stays(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    for days in (29, 30, 31, 400):
        (root / f"{days}.csv").touch()
        put_into_trash(root, root / f"{days}.csv", NOW - timedelta(days=days))
    for own in ("Trash/2020-01-01/mine.csv", "Trash/mine.csv", "2020-01-01/mine.csv"):
        (root / own).parent.mkdir(exist_ok=True)
        (root / own).touch()
    # Nothing is deleted behind a link, wherever it leads.
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / MARK).touch()
    (root / "Trash" / "2019-01-01").symlink_to(tmp_path / "elsewhere")
    empty_trash(root, NOW)
    theirs = {"Trash/2020-01-01/mine.csv", "Trash/mine.csv", "2020-01-01/mine.csv"}
    assert {name for name in lying(root) if "mine" in name} == theirs
    assert {Path(name).name for name in lying(root) - theirs} == {"29.csv", "30.csv"}
    assert (root / "Trash" / "2019-01-01" / MARK).exists()


def test_an_empty_trash_goes(tmp_path: Path) -> None:
    (tmp_path / "old.csv").touch()
    put_into_trash(tmp_path, tmp_path / "old.csv", NOW - timedelta(days=31))
    empty_trash(tmp_path, NOW)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "root").mkdir()
    return Files(root_dir=str(tmp_path / "root"), delete_to_trash=True)


def test_jupyter_s_own_deletion_puts_it_there_and_deletes_there_for_good(manager: Files) -> None:
    root = Path(manager.root_dir)
    (root / "folder").mkdir()
    (root / "folder" / "a.csv").touch()
    manager.delete("folder")
    (kept,) = lying(root)
    assert kept.startswith("Trash/") and kept.endswith("/folder/a.csv")
    assert is_in_trash(root, root / kept)
    manager.delete(str(Path(kept).parent))
    assert lying(root) == set()


def test_on_a_full_disk_it_is_deleted_for_good_and_else_it_stays(
    manager: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(number: int) -> None:
        def put(*_: object) -> Path:
            raise OSError(number, os.strerror(number))

        monkeypatch.setattr(saving, "put_into_trash", put)

    file = Path(manager.root_dir) / "a.csv"
    file.touch()
    refuse(errno.EXDEV)
    with pytest.raises(HTTPError, match="can't be put into Trash"):
        manager.delete("a.csv")
    assert file.exists()
    refuse(errno.ENOSPC)
    manager.delete("a.csv")
    assert not file.exists()


def test_each_disk_has_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"1 0 0:1 / / rw - ext4 a\n2 1 0:2 / {tmp_path}/big\\040disk rw - ext4 b\n")
    assert tops(tmp_path, mounts) == [tmp_path, tmp_path / "big disk"]
    monkeypatch.setattr(trash, "mount_points", lambda _: [str(tmp_path / "disk")])
    (tmp_path / "disk" / "data").mkdir(parents=True)
    file = tmp_path / "disk" / "data" / "a.csv"
    file.touch()
    assert put_into_trash(tmp_path, file, NOW) == tmp_path / "disk" / DAY / "data" / "a.csv"


def test_a_question_says_how_many_files_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_bytes(b"12345")
    (tmp_path / "in" / "up").symlink_to("..")
    assert count_files(tmp_path, 100) == (2, 5 + len(".."))
    assert count_files(tmp_path, 1)[0] >= 1
