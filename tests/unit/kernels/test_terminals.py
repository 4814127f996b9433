"""Where a terminal opens."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from entrypoint.kernels.terminals import found


@pytest.mark.parametrize("asked", ["", None, 7, "gone", "a\0b", "file.txt"])
def test_a_terminal_opens_in_the_notebooks_folder(tmp_path: Path, asked: object) -> None:
    (tmp_path / "file.txt").touch()
    assert Path(asyncio.run(found(asked, str(tmp_path))) or "") == tmp_path


def test_a_folder_called_like_one_of_the_system_s_is_the_notebooks_own(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    assert asyncio.run(found("etc", str(tmp_path))) == str(tmp_path / "etc")


def test_a_whole_path_is_taken_as_it_stands(tmp_path: Path) -> None:
    assert asyncio.run(found("/tmp", str(tmp_path))) == "/tmp"


def test_where_the_notebooks_folder_is_gone_a_terminal_opens_all_the_same(tmp_path: Path) -> None:
    assert asyncio.run(found("", str(tmp_path / "gone"))) is None
