"""A folder's listing: what Jupyter's own holds, in a fraction of its time, whatever lies in the folder."""

from __future__ import annotations

import asyncio
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.jsonutil import json_default
from jupyter_server.services.contents.largefilemanager import LargeFileManager

from entrypoint.jupyter.files import Files


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    (tmp_path / "root").mkdir()
    return tmp_path / "root"


def fill(folder: Path) -> None:
    """One of everything that may lie there."""
    for name in (
        "a.ipynb",
        "b.txt",
        "c.tar.gz",
        "d",
        "e.pyc",
        ".hidden",
        "f~",
        "g.png",
        "ü.csv",
        'q"\\.txt',
        "h\n.txt",
    ):
        (folder / name).write_text("x")
    os.close(os.open(os.fsencode(folder) + b"/\xff.txt", os.O_CREAT))
    for name in ("folder", "folder.ipynb", ".checkpoints", "__pycache__"):
        (folder / name).mkdir()
    links = {"to-file": "b.txt", "to-folder": "folder", "to-nothing": "gone", "to-itself": "to-itself", "to.ipynb": "d"}
    for name, target in links.items():
        (folder / name).symlink_to(target)
    os.mkfifo(folder / "pipe")
    (folder / "locked").mkdir(mode=0)
    (folder / "read-only.txt").touch(mode=0o400)
    os.utime(folder / "b.txt", (2**33, 2**33))
    os.utime(folder / "d", (-1, -1.5))


def plain(root: Path, path: str, **options: Any) -> Any:
    model = LargeFileManager(root_dir=str(root), **options).get(path)
    return json.loads(json.dumps(model, default=json_default))


def ours(root: Path, path: str, **options: Any) -> Any:
    async def ask() -> bytes:
        listing = await Files(root_dir=str(root), **options).listing(path)
        assert listing
        return listing[1]

    return json.loads(asyncio.run(ask()))


def by_name(model: dict[str, Any]) -> dict[str, Any]:
    return model | {"content": {each["name"]: each for each in model["content"]}}


@pytest.mark.parametrize("path", ["", "folder/within"])
@pytest.mark.parametrize("options", [{}, {"hide_globs": []}, {"hide_globs": ["*.txt", "[a-c]*"]}], ids=str)
def test_a_listing_holds_what_jupyter_s_own_holds(root: Path, path: str, options: dict[str, Any]) -> None:
    folder = root / path
    folder.mkdir(parents=True, exist_ok=True)
    fill(folder)
    assert by_name(ours(root, path, **options)) == by_name(plain(root, path, **options))


def test_an_empty_folder_is_an_empty_listing(root: Path) -> None:
    assert ours(root, "") == plain(root, "")


def test_what_is_hidden_is_listed_where_it_is_allowed(root: Path) -> None:
    (root / ".hidden").mkdir()
    (root / ".hidden" / "x.txt").touch()
    assert ours(root, ".hidden", allow_hidden=True) == plain(root, ".hidden", allow_hidden=True)
    assert asyncio.run(Files(root_dir=str(root)).listing(".hidden")) is None


@pytest.mark.parametrize("path", ["gone", "file.txt"])
def test_what_is_no_folder_is_left_to_jupyter(root: Path, path: str) -> None:
    (root / "file.txt").touch()
    assert asyncio.run(Files(root_dir=str(root)).listing(path)) is None


def test_ten_thousand_files_cost_a_fraction(root: Path) -> None:
    """Of what Jupyter's own takes without a server, which besides tells of each file that it was looked at."""
    for number in range(10_000):
        (root / f"{number}.txt").touch()

    def seconds(ask: Any) -> float:
        began = time.process_time()
        assert len(ask(root, "")["content"]) == 10_000
        return time.process_time() - began

    assert seconds(ours) < seconds(plain) / 3
