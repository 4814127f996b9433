"""Which laptop a file's present content comes from, for an open page whose notebook has changed below it."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from typing import Any

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown
from entrypoint.laptops.device_id import short_id
from entrypoint.laptops.pairing import is_on, read_pairing
from entrypoint.laptops.report import read_names
from entrypoint.laptops.syncthing import Syncthing
from entrypoint.login.guarded import GuardedHandler
from entrypoint.proxy.asking import NoAnswerError

PATH = "/workhorse/changed-by"
PATH_LENGTH_MAX = 4096
ASKING_AT_ONCE = 2


@dataclass(frozen=True)
class Change:
    """The last one that Syncthing knows of.

    Args:
        device: What the laptop is called; None for this server, and where that isn't known.
        time: The file's own, in ISO 8601: whether it is the change that is asked for, the page sees by that.
    """

    device: str | None = None
    time: str | None = None


class ChangedByHandler(GuardedHandler):
    """Answers whoever is logged in."""

    threads = ThreadPoolExecutor(ASKING_AT_ONCE)

    async def get(self) -> None:
        path = self.get_query_argument("path", "")
        ask = asyncio.get_running_loop().run_in_executor
        found = await ask(self.threads, find_change, self.door.places, path)
        self.set_header("Cache-Control", "no-store")
        self.finish(asdict(found))


def find_change(places: Places, path: str) -> Change:
    """Nothing is known where nothing is kept in step."""
    if not is_on(places) or not 0 < len(path) <= PATH_LENGTH_MAX:
        return Change()
    try:
        pairing = read_pairing(places)
        syncthing = Syncthing(places.sync_socket, pairing.folder)
        told: Any = syncthing.ask_of_folder("db/file", file=path)
        by, time = str(told["global"]["modifiedBy"]), str(told["global"]["modified"])
        names = {short_id(device): name for device, name in read_names(syncthing).items() if device != pairing.device}
    except (NoAnswerError, WorkhorseError, KeyError, TypeError, ValueError):
        return Change()
    return Change(names[by] or by, shown(time)) if by in names else Change(None, shown(time))
