"""A browser's websocket to a kernel, which tells the person when the kernel was killed for memory."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.services.kernels.connection.base import deserialize_msg_from_ws_v1
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

from entrypoint.memory import explanation


class ToldConnection(ZMQChannelsWebsocketConnection):
    """Jupyter's own, which besides remembers whose output the last cell's is."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.last_execution: dict[str, Any] = {}

    def handle_incoming_message(self, incoming_msg: str) -> None:
        super().handle_incoming_message(incoming_msg)
        header = self._header(incoming_msg)
        if header.get("msg_type") == "execute_request":
            self.last_execution = header

    def _header(self, message: str) -> dict[str, Any]:
        try:
            if self.subprotocol == "v1.kernel.websocket.jupyter.org":
                _, parts = deserialize_msg_from_ws_v1(message)
                header: dict[str, Any] = json.loads(parts[0])
            else:
                header = json.loads(message)["header"]
        # Whatever a client sends is jupyter-server's to judge.
        except Exception:
            return {}
        return header

    def on_kernel_restarted(self) -> None:
        self._tell_if_killed()
        super().on_kernel_restarted()

    def on_restart_failed(self) -> None:
        self._tell_if_killed()
        super().on_restart_failed()

    def _tell_if_killed(self) -> None:
        if self.kernel_manager.was_killed_for_memory:
            self.write_stderr(explanation(), self.last_execution)
