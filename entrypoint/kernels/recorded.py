"""What a page asks for that opens a notebook or comes back: what its cells have put out meanwhile."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import authenticated

# As of Jupyter's own addresses of kernels, beside which the door sends it.
KERNEL = r"(?P<kernel_id>\w+-\w+-\w+-\w+-\w+)"


def show_runs(web_app: Any) -> None:
    """Serves the executions of a kernel's notebook that it doesn't hold yet."""
    web_app.add_handlers(".*$", [(rf"/api/kernels/{KERNEL}/runs", RunsHandler)])


class RunsHandler(JupyterHandler):
    """The runs, oldest first, and what the recorder has made of the file that the page holds."""

    auth_resource = "kernels"

    @authenticated
    async def get(self, kernel_id: str) -> None:
        manager = self.kernel_manager
        manager.get_kernel(kernel_id)
        runs, written = await manager.recorder.runs_of(kernel_id, self.get_query_argument("hash", ""))
        told: dict[str, Any] = {"runs": [run.as_json() for run in runs], "written": None}
        if written:
            told["written"] = {"hash": written.after, "last_modified": written.modified}
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps(told))
