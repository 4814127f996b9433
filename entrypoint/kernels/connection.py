"""A browser's websocket to a kernel, which tells what it was killed for, and why a module is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from jupyter_client.jsonutil import json_default
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.websocket import WebSocketClosedError

from entrypoint.kernels.packages import explanation_of
from entrypoint.recorder.recorder import Recorder

# Which Jupyter's own client asks for.
PROTOCOL = "v1.kernel.websocket.jupyter.org"
# What a browser says that closes a page (RFC 6455, section 7.4.1). One that is cut off says nothing, and a door that is
# made anew something else.
LEFT = (1000, 1001)


class ToldConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own, which besides remembers whose output the last cell's is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.last_execution: Mapping[str, Any] = {}
        # Among the recorder's pages.
        self.is_counted = False

    def handle_incoming_message(self, incoming_msg: str) -> None:
        header, parts = self._read(incoming_msg)
        if header.get("msg_type") == "execute_request":
            self.last_execution = self.kernel_manager.last_execution = header
            # Before the kernel knows of it, or its first words would be of nobody's.
            self.recorder.ask(self.kernel_id, header, parts)
        super().handle_incoming_message(incoming_msg)
        if header.get("msg_type") == "input_reply":
            self.recorder.answer(self.kernel_id)

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        super().handle_outgoing_message(stream, outgoing_msg)
        # Signature, header, parent header, metadata, content. Of an output, which may be long, the header tells.
        _, parts = self.session.feed_identities(outgoing_msg)
        if getattr(stream, "channel", stream) == "stdin":
            self.multi_kernel_manager.note_input(self.kernel_id, outgoing_msg)
        if len(parts) > 4 and b"error" in parts[1] and b"ModuleNotFoundError" in parts[4]:
            self.explaining = asyncio.ensure_future(self._explain(parts))

    async def _explain(self, parts: list[Any]) -> None:
        """Tells why a module is missing, where an update is the cause; whatever a kernel says is anybody's."""
        with contextlib.suppress(Exception):
            header, execution, content = (self.session.unpack(parts[index]) for index in (1, 2, 4))
            if header["msg_type"] == "error":
                told = await explanation_of(content, self.kernel_manager.kernel_spec.resource_dir, Path.home())
                if told:
                    self._tell(execution, told)

    @property
    def recorder(self) -> Recorder:
        recorder: Recorder = self.multi_kernel_manager.recorder
        return recorder

    @property
    def pages(self) -> set[ToldConnection]:
        """All that are connected to the kernel."""
        pages: set[ToldConnection] = self.multi_kernel_manager.pages.setdefault(self.kernel_id, set())
        return pages

    def _read(self, message: str) -> tuple[dict[str, Any], Callable[[], list[dict[str, Any]]]]:
        """A message's header, and what unpacks its metadata and content."""
        try:
            if self.subprotocol == PROTOCOL:
                _, parts = deserialize_msg_from_ws_v1(message)
                return json.loads(parts[0]), lambda: [json.loads(part) for part in parts[2:4]]
            whole = json.loads(message)
            return whole["header"], lambda: [whole["metadata"], whole["content"]]
        # Whatever a client sends is jupyter-server's to judge.
        except Exception:
            return {}, list

    def connect(self) -> Any:
        # Of the several messages that a cell brings about, each would wait for the acknowledgement of the one before.
        self.websocket_handler.set_nodelay(True)
        hears_all = self.multi_kernel_manager.keeps_messages_for(self.kernel_id, self.session_key)
        replaces = any(page.session.session == self.session.session for page in self.pages)
        connected = super().connect()
        if connected:
            self.recorder.join(self.kernel_id, self.session.session, hears_all, replaces)
            self.is_counted = True
            self.pages.add(self)
        # Nobody was connected when it happened: the first who comes is told, below the cell that ran last.
        if connected and self.kernel_manager.untold:
            with contextlib.suppress(WebSocketClosedError):
                self._tell_of_kill(self.kernel_manager.last_execution)
        return connected

    def disconnect(self) -> None:
        if self.is_counted:
            self.multi_kernel_manager.keep_stdin(self.kernel_id, self.session.session, self.channels)
        super().disconnect()
        if self.is_counted:
            self.is_counted = False
            self.pages.discard(self)
            code = self.websocket_handler.close_code
            # Whoever answers a Close has read all before it; what was on its way through a broken line is lost.
            self.recorder.leave(self.kernel_id, self.session.session, code in LEFT, was_told=code is not None)

    def on_kernel_restarted(self) -> None:
        self._tell_if_killed()
        super().on_kernel_restarted()

    def on_restart_failed(self) -> None:
        self._tell_if_killed()
        super().on_restart_failed()

    def _tell_if_killed(self) -> None:
        if self.kernel_manager.was_killed_for_memory:
            self._tell_of_kill(self.last_execution)

    def _tell_of_kill(self, execution: Mapping[str, Any]) -> None:
        self._tell(execution, self.kernel_manager.explanation)
        self.kernel_manager.untold = False

    def ask_for_input(self, session: str, message: Mapping[str, Any]) -> None:
        """Shows a request for input to a page that didn't ask for the execution: whoever is there may answer."""
        if session != self.session.session and self.subprotocol == PROTOCOL:
            with contextlib.suppress(WebSocketClosedError):
                self.write_message(serialize_msg_to_ws_v1(message, "stdin", self.session.pack), binary=True)

    def _tell(self, execution: Mapping[str, Any], text: str) -> None:
        """As `write_stderr` does, which would say it in the log too, once for each browser."""
        content = {"name": "stderr", "text": f"{text}\n"}
        message = self.session.msg("stream", content=content, parent=dict(execution))
        if self.subprotocol == PROTOCOL:
            self.write_message(serialize_msg_to_ws_v1(message, "iopub", self.session.pack), binary=True)
        else:
            self.write_message(json.dumps({**message, "channel": "iopub"}, default=json_default))
