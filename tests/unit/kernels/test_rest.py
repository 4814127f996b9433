"""When the kernels' server is at rest: whatever runs or is asked keeps it going."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from entrypoint.kernels.notices import Notices
from entrypoint.kernels.rest import IDLE_SECONDS, is_idle
from tests.stacks import REPOSITORY


@pytest.fixture
def notices(monkeypatch: pytest.MonkeyPatch) -> Notices:
    # What else this process has started is none of a server's.
    monkeypatch.setattr("entrypoint.kernels.rest.has_children", lambda: False)
    return Notices()


def server(connections: int, quiet_seconds: float, has_work: bool = False) -> Any:
    since = datetime.now(UTC) - timedelta(seconds=quiet_seconds)
    http_server = SimpleNamespace(_connections=set(range(connections)))
    recorder = SimpleNamespace(has_work=has_work)
    return SimpleNamespace(
        http_server=http_server,
        web_app=SimpleNamespace(last_activity=lambda: since),
        kernel_manager=SimpleNamespace(recorder=recorder),
    )


@pytest.mark.parametrize(
    ("connections", "waiting", "quiet_seconds", "idle"),
    [
        (0, 0, IDLE_SECONDS + 1, True),
        (1, 1, IDLE_SECONDS + 1, True),
        (1, 0, IDLE_SECONDS + 1, False),
        (2, 1, IDLE_SECONDS + 1, False),
        (0, 0, IDLE_SECONDS - 10, False),
    ],
)
def test_only_the_door_s_questions_for_notices_leave_it_at_rest(
    notices: Notices, connections: int, waiting: int, quiet_seconds: float, idle: bool
) -> None:
    notices.waiting = waiting
    assert is_idle(server(connections, quiet_seconds), notices) is idle


def test_a_child_is_seen_and_left_to_whoever_waits_for_it() -> None:
    asked = "from entrypoint.kernels.rest import has_children; import subprocess; print(has_children())\n"
    begun = "child = subprocess.Popen(['sleep', '600']); print(has_children()); child.kill()\n"
    # One that has ended, too, until somebody has heard of it.
    ended = "print(has_children()); print(child.wait()); print(has_children())"
    command = [sys.executable, "-c", asked + begun + ended]
    ran = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["False", "True", "True", "-9", "False"]


def test_what_a_notebook_lacks_yet_keeps_it_going(notices: Notices) -> None:
    assert not is_idle(server(0, IDLE_SECONDS + 1, has_work=True), notices)
