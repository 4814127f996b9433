"""The kernels that run: their sockets, their end for memory, and what is said of those that fail."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cached_property, partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import zmq
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from jupyter_server.utils import ApiPath, to_os_path
from tornado.web import HTTPError
from traitlets import default

from entrypoint.files.places import Places
from entrypoint.home.holders import find_holders
from entrypoint.home.memory import KillWatch, explanation, kill_count, limit_bytes
from entrypoint.jupyter.errands import Errands
from entrypoint.kernels.expendable import expendable
from entrypoint.kernels.hearing import Hearing
from entrypoint.kernels.notices import Ended, Notices
from entrypoint.recorder.notebooks import Notebooks
from entrypoint.recorder.recorder import Recorder, unpacked
from entrypoint.recorder.runs import Run
from entrypoint.recorder.store import Store
from entrypoint.system.file_limit import with_inherited_limit
from entrypoint.system.memory import machine_bytes

SOCKETS_MAX = 16_384
# In messages, whatever their size, that ZeroMQ takes in for `Hearing`, which counts bytes.
HEARD_MAX = 100
# Of what a page has missed that may come back: well below what Jupyter lets a kernel say in three seconds, since it is
# said to the page at once (iopub_data_rate_limit, iopub_msg_rate_limit).
BUFFER_BYTES_MAX, BUFFER_MESSAGES_MAX = 1 << 20, 1000
DIED = "The kernel died while this cell ran."
RESTARTED = "The kernel was restarted while this cell ran."
SHUT_DOWN = "The kernel was shut down while this cell ran."


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
    # What it says, for all who listen.
    hearing: Hearing | None = None

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

    def connect_iopub(self, identity: bytes | None = None) -> Any:
        """A listener of all that the kernel says: a page, the recorder, or Jupyter's own watch."""
        return self.hearing.listen() if self.hearing else super().connect_iopub(identity)

    def hear(self) -> None:
        """Connects to the kernel's output channel, once for all who listen."""
        # Connecting settles it for a socket, so it has to be the context's default at that moment.
        self.context.sockopts[zmq.RCVHWM] = HEARD_MAX
        try:
            self.hearing = Hearing(super().connect_iopub(), self.session)
        finally:
            del self.context.sockopts[zmq.RCVHWM]

    def hear_no_more(self) -> None:
        if self.hearing:
            self.hearing.close()
        self.hearing = None

    def _others(self) -> list[tuple[int, str]]:
        """The processes and names of the kernels that run beside this one."""
        kernels = [self.parent.get_kernel(kernel_id) for kernel_id in self.parent.list_kernel_ids()]
        return [
            (each.provisioner.pid, each.kernel_spec.display_name)
            for each in kernels
            if each is not self and each.provisioner and each.provisioner.pid
        ]


class NamedKernels(AsyncMappingKernelManager):
    """Jupyter's kernels, whose failures name the kernel and its environment, and whose outputs outlive their pages."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.pages: dict[str, set[Any]] = {}
        self.kept_stdin: dict[str, list[Any]] = {}
        self.notices: Notices | None = None

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

    @cached_property
    def recorder(self) -> Recorder:
        """What the kernels put out, for as long as no notebook holds it."""
        places = Places()
        notebooks = Notebooks(self.parent.contents_manager, places.outputs)
        return Recorder(notebooks, Store(places.runs), self._notebook_of, self.log.warning, self._run_ended)

    async def _notebook_of(self, kernel_id: str) -> str | None:
        """Asked at each execution: by the kernel, since a list of all sessions takes the longer the more there are."""
        try:
            session = await self.parent.session_manager.get_session(kernel_id=kernel_id, type="notebook")
        except HTTPError:
            return None
        path: str = session["path"]
        return path

    def start_watching_activity(self, kernel_id: str) -> None:
        """As Jupyter's own, which remembers whether a kernel is busy, and not what it says."""
        kernel = self.get_kernel(kernel_id)
        kernel.hear()
        super().start_watching_activity(kernel_id)
        kernel.connect_iopub().on_recv(partial(self._record, kernel_id, kernel.session))

    def stop_watching_activity(self, kernel_id: str) -> None:
        super().stop_watching_activity(kernel_id)
        self.get_kernel(kernel_id).hear_no_more()

    def _record(self, kernel_id: str, session: Any, message: list[Any]) -> None:
        try:
            _, parts = session.feed_identities(message)
            _, header, parent, _, content, *_ = parts
            read = partial(unpacked, content)
            self.recorder.take(kernel_id, session.unpack(header), session.unpack(parent), read)
        # What a kernel says is anybody's.
        except Exception as error:
            self.recorder.warn_once(f"What the kernel {kernel_id} said could not be recorded: {type(error).__name__}.")

    def note_input(self, kernel_id: str, message: list[Any]) -> None:
        """A kernel asks for a person's input, by way of the page that asked for the execution."""
        with contextlib.suppress(Exception):
            kernel = self.get_kernel(kernel_id)
            _, parts = kernel.session.feed_identities(message)
            header, parent, metadata, content = map(kernel.session.unpack, parts[1:5])
            request = {"header": header, "parent_header": parent, "metadata": metadata, "content": content}
            run = self.recorder.follow(kernel_id).recording.ask_for_input(request, parent)
            for page in self.pages.get(kernel_id, set()):
                if run:
                    page.ask_for_input(run.session, request)

    def start_buffering(self, kernel_id: str, session_key: str, channels: dict[str, Any]) -> None:
        """As Jupyter's own, but bounded: beyond, the page is shown what the recorder has."""
        super().start_buffering(kernel_id, session_key, channels)
        if kernel_id in self._kernel_buffers:
            buffer = self._kernel_buffers[kernel_id]
            room = [BUFFER_BYTES_MAX, BUFFER_MESSAGES_MAX]
            for channel, stream in channels.items():
                stream.on_recv(partial(self._buffer, kernel_id, buffer, room, channel))

    def _buffer(
        self, kernel_id: str, buffer: dict[str, Any], room: list[int], channel: str, message: list[Any]
    ) -> None:
        if channel == "stdin":
            self.note_input(kernel_id, message)
        room[:] = room[0] - sum(map(len, message)), room[1] - 1
        if min(room) < 0:
            # No page's any more; the channels stay open, since a request for input comes by one.
            buffer["session_key"], message = "", []
            buffer["buffer"].clear()
        else:
            buffer["buffer"].append((channel, message))

    def stop_buffering(self, kernel_id: str) -> None:
        if buffer := self._kernel_buffers.get(kernel_id) if kernel_id in self else None:
            self.keep_stdin(kernel_id, None, buffer["channels"])
        super().stop_buffering(kernel_id)

    def keep_stdin(self, kernel_id: str, session: str | None, channels: dict[str, Any]) -> None:
        """Keeps the way by which a kernel asks for input, as long as anything runs that a page asked for which is gone.

        Args:
            session: Of a page that leaves while others stay; None if it has left before.
        """
        is_last = session is not None and self._kernel_connections.get(kernel_id, 0) <= 1
        runs = self.recorder.follow(kernel_id).recording.unended()
        if is_last or not [run for run in runs if session in (None, run.session)] or "stdin" not in channels:
            return
        stream = channels.pop("stdin")
        stream.on_recv(partial(self.note_input, kernel_id))
        self.kept_stdin.setdefault(kernel_id, []).append(stream)

    def _run_ended(self, kernel_id: str, run: Run, path: str | None) -> None:
        if not self.recorder.follow(kernel_id).recording.unended():
            for stream in self.kept_stdin.pop(kernel_id, []):
                if not stream.closed():
                    stream.close()
        if self.notices and run.started and run.ended and run.outcome and run.outcome != "stopped":
            seconds, last_line = run.ended - run.started, run.outputs.last_line
            self.notices.ended(Ended(path, kernel_id, seconds, run.outcome, last_line))

    def keeps_messages_for(self, kernel_id: str, session_key: str) -> bool:
        """Whether a page that comes back is told all that it missed."""
        buffer = self._kernel_buffers.get(kernel_id)
        return bool(buffer) and buffer["session_key"] == session_key

    async def _async_shutdown_kernel(self, kernel_id: str, now: bool = False, restart: bool = False) -> Any:
        answer = await super()._async_shutdown_kernel(kernel_id, now=now, restart=restart)
        if not restart:
            self.recorder.lose(kernel_id, SHUT_DOWN)
        return answer

    shutdown_kernel = _async_shutdown_kernel

    async def _async_restart_kernel(self, kernel_id: str, now: bool = False) -> Any:
        answer = await super()._async_restart_kernel(kernel_id, now=now)
        self.recorder.end(kernel_id, RESTARTED)
        return answer

    restart_kernel = _async_restart_kernel

    async def _async_shutdown_all(self, now: bool = False) -> None:
        await self.recorder.stop()
        await super()._async_shutdown_all(now=now)

    shutdown_all = _async_shutdown_all

    async def _finish_kernel_start(self, kernel_id: str) -> None:
        await super()._finish_kernel_start(kernel_id)
        # Before any connection's, which tell the person.
        if kernel_id in self:
            self.add_restart_callback(kernel_id, lambda: self._note_end(kernel_id))

    def _note_end(self, kernel_id: str) -> None:
        kernel = self.get_kernel(kernel_id)
        # Its last words, for the recorder.
        if kernel.hearing:
            kernel.hearing.flush()
        if kernel.was_killed_for_memory:
            self.log.warning("Kernel '%s' %s: %s", kernel.kernel_spec.display_name, kernel_id, kernel.explanation)
            kernel.untold = True
        self.recorder.end(kernel_id, kernel.explanation if kernel.was_killed_for_memory else DIED)

    def _handle_kernel_died(self, kernel_id: str) -> None:
        spec = self.get_kernel(kernel_id).kernel_spec
        self.log.error(
            "The kernel '%s' does not start. It belongs to %s; what it said itself stands above.",
            spec.display_name,
            Path(spec.resource_dir).parents[3],
        )
        super()._handle_kernel_died(kernel_id)
        self.recorder.lose(kernel_id, DIED)
