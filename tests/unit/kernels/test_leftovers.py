"""What an earlier run left in the folder of temporary files."""

from __future__ import annotations

import os
import time
from pathlib import Path

from entrypoint.kernels import leftovers
from tests.homes import listen


def cleared(folder: Path) -> list[str]:
    leftovers.clear(folder, time.time() + 1)
    return sorted(path.name for path in folder.iterdir())


def test_everything_goes_whatever_it_is_and_no_link_is_followed(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "tmp"
    outside.mkdir()
    (outside / "kept").touch()
    folder.mkdir()
    (folder / "link").symlink_to(outside)
    (folder / "deep/er").mkdir(parents=True)
    (folder / "deep/er/link").symlink_to(outside)
    (folder / "deep/er").chmod(0o500)
    (folder / "closed").mkdir(mode=0o500)
    os.mkfifo(folder / "pipe")
    listen(folder / "socket").close()
    assert cleared(folder) == []
    assert [path.name for path in outside.iterdir()] == ["kept"]
    assert outside.stat().st_mode & 0o700 == 0o700


def test_what_is_made_after_the_start_stays(tmp_path: Path) -> None:
    (tmp_path / "old").touch()
    (tmp_path / "young").touch()
    while (tmp_path / "young").stat().st_ctime <= (tmp_path / "old").stat().st_ctime:
        (tmp_path / "young").chmod(0o600)
    now = (tmp_path / "young").stat().st_ctime
    leftovers.clear(tmp_path, now)
    assert [path.name for path in tmp_path.iterdir()] == ["young"]


def test_what_a_killed_run_had_moved_aside_goes_too(tmp_path: Path) -> None:
    (tmp_path / f"{leftovers.ASIDE}abc/deep").mkdir(parents=True)
    assert cleared(tmp_path) == []
