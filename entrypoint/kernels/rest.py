"""Lets the server become again what waits in 5 MiB, once nothing runs and nobody has asked for anything for a while."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from tornado.ioloop import PeriodicCallback

from entrypoint.kernels.notices import Notices
from entrypoint.system.file_limit import restore_file_limit

IDLE_SECONDS = 600.0
LOOK_SECONDS = 30.0


def rest_when_idle(app: Any, notices: Notices, rest: Callable[[], None]) -> PeriodicCallback:
    """Looks from time to time whether the server has come to rest.

    Args:
        rest: What it does then; it doesn't return.
    """

    def look() -> None:
        if is_idle(app, notices):
            app.log.info("Nothing runs, and nobody has asked for anything for a while: waiting.")
            rest()

    looking = PeriodicCallback(look, 1000 * min(LOOK_SECONDS, IDLE_SECONDS))
    looking.start()
    return looking


def is_idle(app: Any, notices: Notices) -> bool:
    """No kernel, terminal or other child, nothing that is being answered, and no page that asks now and then."""
    # The door's questions for notices wait here all the time.
    is_asked = len(app.http_server._connections) > notices.waiting
    quiet_seconds = (datetime.now(UTC) - app.web_app.last_activity()).total_seconds()
    has_work = has_children() or app.kernel_manager.recorder.has_work
    return not is_asked and quiet_seconds > IDLE_SECONDS and not has_work


def has_children() -> bool:
    try:
        # Takes none of them from whoever waits for it.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def become(command: Sequence[str]) -> None:
    """The same process, on the same socket: whoever comes meanwhile is heard.

    Args:
        command: The module that waits, and its arguments.
    """
    # Or the kernels of the next server would have this one's.
    restore_file_limit()
    os.execv(sys.executable, [sys.executable, "-I", "-m", *command])
