"""Memory as control groups of either version tell it."""

from __future__ import annotations

from pathlib import Path

from entrypoint.memory import in_gib, kill_count, limit_bytes


def test_version_2_is_read(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("2147483648\n")
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 12\noom 3\noom_kill 2\noom_group_kill 0\n")
    assert (limit_bytes(tmp_path), kill_count(tmp_path)) == (2**31, 2)


def test_version_1_is_read(tmp_path: Path) -> None:
    (tmp_path / "memory").mkdir()
    (tmp_path / "memory/memory.limit_in_bytes").write_text("734003200\n")
    (tmp_path / "memory/memory.oom_control").write_text("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n")
    assert (limit_bytes(tmp_path), kill_count(tmp_path)) == (734003200, 1)


def test_no_limit_is_none_in_either_version(tmp_path: Path) -> None:
    (tmp_path / "memory.max").write_text("max\n")
    assert limit_bytes(tmp_path) is None
    (tmp_path / "memory.max").write_text("9223372036854771712\n")
    assert limit_bytes(tmp_path) is None


def test_a_system_without_control_groups_has_no_limit_and_no_kills(tmp_path: Path) -> None:
    assert (limit_bytes(tmp_path), kill_count(tmp_path)) == (None, 0)


def test_amounts_are_readable() -> None:
    assert in_gib(64 * 2**30) == "64.0 GiB"
