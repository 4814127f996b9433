"""Which files are in conflict, by the names that Syncthing gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.files.conflicts import device_of, is_in_conflict, original_of

COPIES = {
    "fit.sync-conflict-20261129-101500-ABCDEFG.ipynb": "fit.ipynb",
    "data.tar.sync-conflict-20261129-101500-ABCDEF7.gz": "data.tar.gz",
    "Makefile.sync-conflict-20261129-101500-ABCDEFG": "Makefile",
    ".sync-conflict-20261129-101500-ABCDEFG.bashrc": ".bashrc",
    "two\nlines.sync-conflict-20261129-101500-ABCDEFG.txt": "two\nlines.txt",
}
OTHERS = ("fit.ipynb", "notes on sync-conflict.md", "fit.sync-conflict-2026-1015-ABCDEFG.ipynb", "")


@pytest.mark.parametrize(("name", "original"), COPIES.items())
def test_a_conflict_s_copy_tells_what_it_stands_beside_and_whose_it_is(name: str, original: str) -> None:
    assert original_of(name) == original
    assert (device_of(name) or "").startswith("ABCDEF")


@pytest.mark.parametrize("name", OTHERS)
def test_other_names_are_no_copies(name: str) -> None:
    assert original_of(name) is None
    assert device_of(name) is None


def test_both_sides_of_a_conflict_are_in_it_until_one_is_gone(tmp_path: Path) -> None:
    original, copy = tmp_path / "fit.ipynb", tmp_path / "fit.sync-conflict-20261129-101500-ABCDEFG.ipynb"
    beside = tmp_path / "fit.ipynb.bak"
    for path in (original, copy, beside):
        path.touch()
    assert [is_in_conflict(path) for path in (original, copy, beside)] == [True, True, False]
    copy.unlink()
    assert not is_in_conflict(original)
