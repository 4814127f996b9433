"""A folder as it is downloaded: what JupyterLab shows of it, without what leads elsewhere or can't be read."""

from __future__ import annotations

import io
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from entrypoint.lab.folder_archive import AMISS, write_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With an empty folder, something hidden at each level, and a link, a broken link and a pipe."""
    folder = tmp_path / "data"
    (folder / "a" / "empty").mkdir(parents=True)
    (folder / "a" / "b.txt").write_bytes(b"b" * 100_000)
    (folder / ".git").mkdir()
    (folder / ".git" / "config").touch()
    (folder / "a" / ".hidden").touch()
    (tmp_path / "secret").write_text("elsewhere")
    (folder / "file").symlink_to(tmp_path / "secret")
    (folder / "up").symlink_to(tmp_path)
    (folder / "gone").symlink_to("nowhere")
    os.mkfifo(folder / "pipe")
    return folder


def packed(folder: Path, with_hidden: bool = False) -> dict[str, bytes | None]:
    """What the archive holds: the content of files, and None for folders."""
    stream = io.BytesIO()
    write_folder(folder, with_hidden, stream, datetime.now(UTC))
    stream.seek(0)
    with tarfile.open(fileobj=stream, mode="r:gz") as tar:
        assert all(member.isreg() or member.isdir() for member in tar)
        files = {member.name: tar.extractfile(member) for member in tar}
        return {name: file.read() if file else None for name, file in files.items()}


def test_what_is_shown_of_a_folder_is_in_its_archive(folder: Path) -> None:
    shown = packed(folder)
    del shown[AMISS]
    assert shown == {"data/a": None, "data/a/b.txt": b"b" * 100_000, "data/a/empty": None}


def test_what_is_left_out_is_told_in_the_archive(folder: Path) -> None:
    told = (packed(folder)[AMISS] or b"").decode().splitlines()
    assert told == [f"data/{name}: left out: it is a link, or no file" for name in ("file", "gone", "pipe", "up")]


def test_nothing_is_told_where_all_is_there(folder: Path) -> None:
    assert packed(folder / "a") == {"a/b.txt": b"b" * 100_000, "a/empty": None}


def test_where_jupyterlab_shows_what_is_hidden_it_is_in_the_archive(folder: Path) -> None:
    hidden = packed(folder, with_hidden=True).keys() - packed(folder).keys()
    assert hidden == {"data/.git", "data/.git/config", "data/a/.hidden"}


def test_a_link_in_the_folder_s_place_leads_nowhere(folder: Path) -> None:
    assert packed(folder / "up") == {AMISS: b"up: left out: Not a directory\n"}


def test_a_name_that_is_no_text_is_kept(folder: Path) -> None:
    (folder / "a" / os.fsdecode(b"\xff")).touch()
    assert "a/\udcff" in packed(folder / "a")
