"""Memory as control groups of either version tell it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from entrypoint.home.holders import Holders, find_holders, programs_of, usage_by_session
from entrypoint.home.memory import ENDING_SECONDS, KillWatch, explanation, kill_count, limit_bytes
from entrypoint.system.memory import in_gib
from tests.stacks import poll


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


def test_a_kernel_that_takes_seconds_to_end_was_killed_for_memory() -> None:
    watch = KillWatch(kills=2)
    for now, kills in ((3.0, 2), (6.0, 3), (9.0, 3), (12.0, 3)):
        watch.note(kills, now)
    assert watch.explains(-signal.SIGKILL, 12.0)


def test_another_signal_at_the_same_time_was_not_memory() -> None:
    watch = KillWatch(kills=0)
    watch.note(1, 3.0)
    assert not watch.explains(-signal.SIGSEGV, 3.0)
    assert not watch.explains(1, 3.0)
    assert not watch.explains(None, 3.0)


def test_a_kill_without_a_recent_count_was_not_memory() -> None:
    watch = KillWatch(kills=5)
    watch.note(5, 3.0)
    assert not watch.explains(-signal.SIGKILL, 3.0)
    watch.note(6, 6.0)
    assert not watch.explains(-signal.SIGKILL, 6.1 + ENDING_SECONDS)


def test_the_explanation_names_what_took_the_memory_and_what_ends_it() -> None:
    gib = 2**30
    held = Holders({"/dev/shm": gib, "/run/workhorse": 1000}, {"'R' (process 7)": 2 * gib, "'S' (process 8)": 1}, gib)
    told = explanation(held, 6 * gib, 64 * gib)
    assert "all notebooks together may take 6.0 GiB (MEMORY_LIMIT in .env), most of which was taken already" in told
    assert "Files in /dev/shm hold 1.0 GiB of it, until they are deleted: ls -l /dev/shm" in told
    assert "The kernel 'R' (process 7) holds 2.0 GiB, until it is shut down." in told
    assert "Terminals and other programs hold 1.0 GiB" in told
    assert "'S'" not in told
    assert "/run" not in told


def test_the_explanation_without_a_limit_is_of_the_machine() -> None:
    told = explanation(Holders({}, {}), None, 64 * 2**30)
    assert told.startswith("Killed for memory: this machine has 64.0 GiB, and this kernel wanted more. It starts anew")


def test_what_a_session_and_its_children_hold_is_counted_for_its_leader() -> None:
    program = "import time; held = b'x' * (64 << 20); print('holds', flush=True); time.sleep(60)"
    command = ["sh", "-c", '"$0" -c "$1"; true', sys.executable, program]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True) as leader:
        try:
            assert leader.stdout
            assert leader.stdout.readline() == "holds\n"
            held = find_holders([(leader.pid, "Python")]).kernels[f"'Python' (process {leader.pid})"]
        finally:
            os.killpg(leader.pid, signal.SIGKILL)
    assert 64 << 20 <= held < 128 << 20


def test_a_session_s_use_of_processors_grows_with_its_children_s() -> None:
    spin = "import os, sys; os.fork(); print(flush=True); sys.stdin.read(0)\nwhile True: pass"
    command = [sys.executable, "-c", spin]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as leader:
        try:
            assert leader.stdout
            leader.stdout.readline()
            before = usage_by_session(Path("/proc"))[leader.pid]
            poll(lambda: usage_by_session(Path("/proc"))[leader.pid].cpu_seconds > before.cpu_seconds + 0.5 or None)
            assert usage_by_session(Path("/proc"))[leader.pid].memory > 1 << 20
            (name,) = programs_of(leader.pid)
            assert name.startswith("python")
        finally:
            os.killpg(leader.pid, signal.SIGKILL)
