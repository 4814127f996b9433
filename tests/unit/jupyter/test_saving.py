"""Saving: the new file takes the old one's place, mode and links, or nothing changes."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from entrypoint.jupyter.files import Files
from entrypoint.jupyter.saving import LEFTOVER_SECONDS, may_replace, replacing


def test_a_save_replaces_the_file_and_keeps_its_mode(tmp_path: Path) -> None:
    file = tmp_path / ("n" * 255)
    file.write_text("old")
    file.chmod(0o640)
    with replacing(file) as new:
        new.write("new\n")
        assert file.read_text() == "old"
    assert file.read_bytes() == b"new\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o640
    assert list(tmp_path.iterdir()) == [file]


def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("old")
    with pytest.raises(OSError, match="full"), replacing(file, text=False) as new:
        new.write(b"half")
        raise OSError("full")
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_what_a_power_cut_left_is_removed_by_a_later_save_of_the_same_file(tmp_path: Path) -> None:
    file = tmp_path / "file"
    with pytest.raises(FileNotFoundError), replacing(file) as new:
        leftover = Path(new.name)
        kept = leftover.rename(f"{leftover}-left")
    with replacing(file) as new:
        new.write("a save of just now may still be going on")
    assert kept.exists()
    os.utime(kept, (kept.stat().st_mtime - LEFTOVER_SECONDS - 1,) * 2)
    with replacing(file) as new:
        new.write("later")
    assert list(tmp_path.iterdir()) == [file]


def test_hard_links_and_other_things_are_left_to_jupyters_way(tmp_path: Path) -> None:
    file = tmp_path / "file"
    assert may_replace(file)
    file.touch()
    assert may_replace(file)
    os.link(file, tmp_path / "second")
    assert not may_replace(file)
    os.mkfifo(tmp_path / "pipe")
    assert not may_replace(tmp_path / "pipe")


def test_a_chunk_that_comes_twice_counts_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "root").mkdir()
    manager = Files(root_dir=str(tmp_path / "root"))
    for chunk, text in ((1, "a"), (1, "a"), (2, "b"), (2, "b"), (3, "c"), (-1, "d"), (-1, "d")):
        manager.save({"type": "file", "format": "text", "chunk": chunk, "content": text}, "large.txt")
    assert (tmp_path / "root" / "large.txt").read_text() == "abcd"
    # Of the same name, a new one.
    for chunk, text in ((1, "e"), (-1, "f")):
        manager.save({"type": "file", "format": "text", "chunk": chunk, "content": text}, "large.txt")
    assert (tmp_path / "root" / "large.txt").read_text() == "ef"
