"""What kernels and terminals leave to the server."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.kernels.expendable import RESERVED_PROCESSES, expendable, most_processes


@pytest.mark.parametrize("file", ["pids.max", "pids/pids.max"])
def test_a_kernel_may_have_all_processes_but_a_reserve(tmp_path: Path, file: str) -> None:
    (tmp_path / file).parent.mkdir(exist_ok=True)
    (tmp_path / file).write_text("16384\n")
    assert expendable(["kernel"], tmp_path)[:2] == ["prlimit", f"--nproc={16384 - RESERVED_PROCESSES}"]
    assert expendable(["kernel"], tmp_path)[-6:] == ["--", "choom", "-n", "500", "--", "kernel"]


def test_where_there_is_no_limit_there_is_none(tmp_path: Path) -> None:
    assert most_processes(tmp_path) is None
    (tmp_path / "pids.max").write_text("max\n")
    assert most_processes(tmp_path) is None
    assert expendable(["kernel"], tmp_path) == ["choom", "-n", "500", "--", "kernel"]
