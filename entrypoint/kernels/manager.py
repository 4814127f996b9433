"""The kernels that run: their sockets, their end for memory, and what is said of those that fail."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from jupyter_server.utils import ApiPath, to_os_path
from traitlets import default

from entrypoint.home.holders import find_holders
from entrypoint.home.memory import KillWatch, explanation, kill_count, limit_bytes
from entrypoint.jupyter.errands import Errands
from entrypoint.kernels.expendable import expendable
from entrypoint.system.file_limit import with_inherited_limit
from entrypoint.system.memory import machine_bytes

SOCKETS_MAX = 16_384


async def look_at(folder: str | None) -> None:
    """Finds out beside the event loop whether the folder's disk answers, for what then asks it in the loop."""
    if folder:
        await Errands.of_the_server().run(partial(os.path.isdir, folder), [folder])


class ExpendableKernel(ServerKernelManager):
    """A kernel that the system ends before the server when memory runs out."""

    watch = KillWatch(0)
    was_killed_for_memory = False
    # What a person reads then, since a moment later others hold the memory.
    explanation = ""
    # Whether nobody was there to be told, and the header of the last request to run a cell.
    untold = False
    last_execution: Mapping[str, Any] = MappingProxyType({})
    # Since when its variables may be there: a restart begins anew.
    started: datetime | None = None

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        self.watch = KillWatch(kill_count())
        # Whoever starts a process waits until it is in its folder.
        await look_at(options.get("cwd"))
        await super()._async_launch_kernel(expendable(with_inherited_limit(kernel_cmd)), **options)
        self.started = datetime.now(UTC)

    async def is_alive(self) -> bool:
        """Jupyter's own, asked every 3 seconds, which besides finds out what a dead kernel died of."""
        alive: bool = await super().is_alive()
        now = time.monotonic()
        self.watch.note(kill_count(), now)
        if not alive:
            status = await self.provisioner.poll() if self.provisioner else None
            self.was_killed_for_memory = self.watch.explains(status, now)
            if self.was_killed_for_memory:
                self.explanation = explanation(find_holders(self._others()), limit_bytes(), machine_bytes())
        return alive

    def _others(self) -> list[tuple[int, str]]:
        """The processes and names of the kernels that run beside this one."""
        kernels = [self.parent.get_kernel(kernel_id) for kernel_id in self.parent.list_kernel_ids()]
        return [
            (each.provisioner.pid, each.kernel_spec.display_name)
            for each in kernels
            if each is not self and each.provisioner and each.provisioner.pid
        ]


class NamedKernels(AsyncMappingKernelManager):
    """Jupyter's kernels, whose failures name the kernel and its environment."""

    @default("context")
    def _context_default(self) -> Any:
        context = super()._context_default()
        # Four for each websocket; ZeroMQ's own limit of 1023 would refuse the 250th open notebook.
        context.max_sockets = SOCKETS_MAX
        return context

    async def _async_start_kernel(self, *, path: str | None = None, **options: Any) -> str:
        await self.kernel_spec_manager.refresh()
        if path is not None:
            await look_at(to_os_path(ApiPath(path), self.root_dir))
        kernel_id: str = await super()._async_start_kernel(path=path, **options)
        return kernel_id

    start_kernel = _async_start_kernel

    async def _finish_kernel_start(self, kernel_id: str) -> None:
        await super()._finish_kernel_start(kernel_id)
        # Before any connection's, which tell the person.
        if kernel_id in self:
            self.add_restart_callback(kernel_id, lambda: self._note_kill(kernel_id))

    def _note_kill(self, kernel_id: str) -> None:
        kernel = self.get_kernel(kernel_id)
        if kernel.was_killed_for_memory:
            self.log.warning("Kernel '%s' %s: %s", kernel.kernel_spec.display_name, kernel_id, kernel.explanation)
            kernel.untold = True

    def _handle_kernel_died(self, kernel_id: str) -> None:
        spec = self.get_kernel(kernel_id).kernel_spec
        self.log.error(
            "The kernel '%s' does not start. It belongs to %s; what it said itself stands above.",
            spec.display_name,
            Path(spec.resource_dir).parents[3],
        )
        super()._handle_kernel_died(kernel_id)
