"""A browser's websocket to a kernel, which tells what it was killed for, and why a module is missing."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jupyter_client.jsonutil import json_default
from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1, serialize_msg_to_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from tornado.websocket import WebSocketClosedError

from entrypoint.kernels.packages import explanation_of

# Which Jupyter's own client asks for.
PROTOCOL = "v1.kernel.websocket.jupyter.org"


class ToldConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own, which besides remembers whose output the last cell's is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.last_execution: Mapping[str, Any] = {}

    def handle_incoming_message(self, incoming_msg: str) -> None:
        super().handle_incoming_message(incoming_msg)
        header = self._header(incoming_msg)
        if header.get("msg_type") == "execute_request":
            self.last_execution = self.kernel_manager.last_execution = header

    def handle_outgoing_message(self, stream: Any, outgoing_msg: list[Any]) -> None:
        super().handle_outgoing_message(stream, outgoing_msg)
        # Signature, header, parent header, metadata, content. Of an output, which may be long, the header tells.
        _, parts = self.session.feed_identities(outgoing_msg)
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

    def _header(self, message: str) -> dict[str, Any]:
        try:
            if self.subprotocol == PROTOCOL:
                _, parts = deserialize_msg_from_ws_v1(message)
                header: dict[str, Any] = json.loads(parts[0])
            else:
                header = json.loads(message)["header"]
        # Whatever a client sends is jupyter-server's to judge.
        except Exception:
            return {}
        return header

    def connect(self) -> Any:
        # Of the several messages that a cell brings about, each would wait for the acknowledgement of the one before.
        self.websocket_handler.set_nodelay(True)
        connected = super().connect()
        # Nobody was connected when it happened: the first who comes is told, below the cell that ran last.
        if connected and self.kernel_manager.untold:
            with contextlib.suppress(WebSocketClosedError):
                self._tell_of_kill(self.kernel_manager.last_execution)
        return connected

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

    def _tell(self, execution: Mapping[str, Any], text: str) -> None:
        """As `write_stderr` does, which would say it in the log too, once for each browser."""
        content = {"name": "stderr", "text": f"{text}\n"}
        message = self.session.msg("stream", content=content, parent=dict(execution))
        if self.subprotocol == PROTOCOL:
            self.write_message(serialize_msg_to_ws_v1(message, "iopub", self.session.pack), binary=True)
        else:
            self.write_message(json.dumps({**message, "channel": "iopub"}, default=json_default))
