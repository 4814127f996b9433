"""The version of the state's layout."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.door.state import LAYOUT, keep_layout
from entrypoint.files.errors import WorkhorseError
from tests.unit.certificates.test_certificates import DAMAGE


def test_a_fresh_state_is_marked(tmp_path: Path) -> None:
    keep_layout(tmp_path / "layout")
    assert (tmp_path / "layout").read_text() == str(LAYOUT)


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_state_without_a_mark_is_marked_again(tmp_path: Path, damage: Callable[[Path], object]) -> None:
    keep_layout(tmp_path / "layout")
    damage(tmp_path / "layout")
    keep_layout(tmp_path / "layout")
    assert (tmp_path / "layout").read_text() == str(LAYOUT)


def test_a_newer_layout_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "layout").write_text(str(LAYOUT + 1))
    with pytest.raises(WorkhorseError, match="newer Workhorse") as refused:
        keep_layout(tmp_path / "layout")
    # It refuses every command of this image too, so none can be the remedy.
    assert "git pull && docker compose up -d --build" in str(refused.value)
    assert "workhorse restore" not in str(refused.value)
    assert (tmp_path / "layout").read_text() == str(LAYOUT + 1)
