"""The notebooks that `workhorse run` runs: known for as long as each holds its connection, and told of at its end."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from tornado.web import HTTPError, RequestHandler, stream_request_body

from entrypoint.kernels.notices import Notices
from entrypoint.system.kernels_report import Kernel
from entrypoint.system.notices import LINE_MAX, OUTCOMES, Outcome

PATH = "/workhorse/runs"
RUNS_MAX, TEXT_MAX = 100, 1000
END_BYTES_MAX = 64 * 1024


class Runs:
    """Those that run now, by their process; each is of people's making, as the connection is."""

    def __init__(self, notices: Notices) -> None:
        self.notices = notices
        self.running: dict[RunHandler, tuple[Kernel, int]] = {}

    def told(self, held: Mapping[int, int]) -> list[Kernel]:
        """As kernels, which they are.

        Args:
            held: Bytes of memory, by the process that leads a session.
        """
        return [
            Kernel(kernel.id, kernel.name, kernel.notebook, kernel.started, "busy", held.get(pid))
            for kernel, pid in self.running.values()
        ]


def follow_runs(web_app: Any, runs: Runs) -> None:
    """Lets whoever comes by the socket tell of a run; the door passes no browser on to here."""
    web_app.add_handlers(".*$", [(PATH, RunHandler, {"runs": runs})])


@stream_request_body
class RunHandler(RequestHandler):
    """A request that lasts as long as the run: its head says what runs, its body how it has ended."""

    def initialize(self, runs: Runs) -> None:
        self.runs, self.said = runs, b""

    def check_xsrf_cookie(self) -> None:
        pass

    def prepare(self) -> None:
        if self.request.method != "POST":
            raise HTTPError(405)
        if len(self.runs.running) >= RUNS_MAX:
            raise HTTPError(503)
        path, name, process = (self.get_query_argument(each, "")[:TEXT_MAX] for each in ("path", "kernel", "process"))
        kernel = Kernel(uuid.uuid4().hex, name, path, datetime.now(UTC), "busy")
        self.runs.running[self] = kernel, int(process) if process.isdecimal() else 0

    def data_received(self, chunk: bytes) -> None:
        self.said = (self.said + chunk)[:END_BYTES_MAX]

    def post(self) -> None:
        try:
            outcome, last_line = json.loads(self.said)
        except (ValueError, TypeError, RecursionError):
            raise HTTPError(400) from None
        self._end(next((each for each in OUTCOMES if each == outcome), "killed"), str(last_line)[:LINE_MAX])

    def on_connection_close(self) -> None:
        """Whoever ran it was killed."""
        super().on_connection_close()
        self._end("killed", "")

    def on_finish(self) -> None:
        self.runs.running.pop(self, None)

    def _end(self, outcome: Outcome, last_line: str) -> None:
        if run := self.runs.running.pop(self, None):
            self.runs.notices.tell(run[0].notebook, outcome, last_line)
