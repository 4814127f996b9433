"""What kernels use of memory and processors, for the page's status bar."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import APIHandler
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated

from entrypoint.home.holders import Usage, files_in_memory, usage_by_session
from entrypoint.home.memory import limit_bytes
from entrypoint.kernels.cards import read_cards
from entrypoint.kernels.report import PROC, in_time
from entrypoint.system.memory import machine_bytes

PATH = "api/usage"
# Every open page asks.
KEPT_SECONDS = 2.0


def offer_usage(web_app: Any) -> None:
    looks = Looks()
    address = url_path_join(web_app.settings["base_url"], PATH)
    web_app.add_handlers(".*$", [(address, UsageHandler, {"looks": looks})])


class Looks:
    """The last look at what processes use, which is good for a moment."""

    def __init__(self) -> None:
        self.last: dict[str, Any] = {}
        self.at = -KEPT_SECONDS

    async def look(self, kernels: Mapping[str, int]) -> dict[str, Any]:
        """Raises HTTPError: there is no time to look."""
        if time.monotonic() - self.at > KEPT_SECONDS:
            found = await in_time(partial(usage, kernels), PROC)
            if found is None:
                raise HTTPError(503)
            cards = await in_time(read_cards, PROC) or ()
            self.at, self.last = time.monotonic(), {**found, "cards": [[each.used, each.memory] for each in cards]}
        return self.last


def usage(kernels: Mapping[str, int], proc: Path = PROC) -> dict[str, Any]:
    """Bytes of memory, and seconds of processors at a time, of each kernel and of all that runs here.

    Args:
        kernels: The process of each, by its id.
    """
    used = usage_by_session(proc)
    whole = sum(used.values(), Usage(sum(held for _, held in files_in_memory(proc))))
    of_kernels = {kernel_id: used[process] for kernel_id, process in kernels.items() if process in used}
    return {
        "seconds": time.monotonic(),
        "limit": limit_bytes() or machine_bytes(),
        "all": [whole.memory, whole.cpu_seconds],
        "kernels": {kernel_id: [each.memory, each.cpu_seconds] for kernel_id, each in of_kernels.items()},
    }


class UsageHandler(APIHandler):
    """Asked by every page that is looked at, each few seconds."""

    def initialize(self, looks: Looks) -> None:
        self.looks = looks

    @authenticated
    async def get(self) -> None:
        manager = self.kernel_manager
        kernels = {kernel_id: manager.get_kernel(kernel_id) for kernel_id in manager.list_kernel_ids()}
        processes = {kernel_id: each.provisioner.pid for kernel_id, each in kernels.items() if each.provisioner}
        self.finish(json.dumps(await self.looks.look(processes)))
