"""What the door asks of Syncthing, over a socket that nobody else reaches; none of the answers is believed yet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

from entrypoint.proxy.asking import Question, ask
from entrypoint.system.pairing import Laptop, Pairing

SECONDS = 10.0
BYTES_MAX = 1 << 20
# Of the list of all files, at some 130 bytes each: half a million of them.
FILES_BYTES_MAX = 64 << 20
# As entrypoint/sync/config.py has it: it opens nothing, and whoever reaches the socket may ask.
API_KEY = "workhorse"


@dataclass(frozen=True)
class Syncthing:
    """The running one.

    Every question raises NoAnswerError where there is no answer.

    Args:
        folder: Its id of the notebooks' folder.
        seconds: For each question and its answer.
    """

    socket: Path
    folder: str
    seconds: float = SECONDS

    def ask(self, path: str, **query: str) -> object:
        return self._ask("GET", f"/rest/{path}?{urlencode(query)}")

    def ask_of_folder(self, path: str, **query: str) -> object:
        return self.ask(path, folder=self.folder, **query)

    def files(self) -> object:
        """Every file of the folder's, as a tree."""
        return self._ask("GET", f"/rest/db/browse?{urlencode({'folder': self.folder})}", bytes_max=FILES_BYTES_MAX)

    def devices(self) -> set[str]:
        """Those that it knows, its own among them."""
        told: Any = self.ask("config/devices")
        return {str(each["deviceID"]) for each in told}

    def restart(self) -> None:
        """It ends, and Docker starts it again."""
        self._ask("POST", "/rest/system/restart")

    def pair(self, laptop: Laptop, pairing: Pairing) -> None:
        """To be called when the laptop is among the paired."""
        self._ask("PUT", f"/rest/config/devices/{quote(laptop.id)}", {"deviceID": laptop.id, "name": laptop.name})
        devices = [{"deviceID": each} for each in (pairing.device, *(laptop.id for laptop in pairing.laptops))]
        self._ask("PATCH", f"/rest/config/folders/{quote(self.folder)}", {"devices": devices})

    def forget(self, laptop: Laptop) -> None:
        self._ask("DELETE", f"/rest/config/devices/{quote(laptop.id)}")

    def _ask(
        self, method: str, path: str, content: Mapping[str, object] | None = None, bytes_max: int = BYTES_MAX
    ) -> object:
        headers = {"X-API-Key": API_KEY, "Content-Type": "application/json"}
        body = b"" if content is None else json.dumps(content).encode()
        return ask(self.socket, Question(method, path, headers, body), self.seconds, bytes_max)
