"""The Trash, as the lab looks after it: emptied of what is old, and what a question before a deletion says."""

from __future__ import annotations

import os
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.ioloop import PeriodicCallback
from tornado.web import authenticated

from entrypoint.jupyter.errands import Errands
from entrypoint.jupyter.trash import count_files, empty_trash, is_in_trash

HOURS = 24
# It takes a second or so on a disk; who deletes more need not know how much more.
COUNTED_MAX = 100_000


def offer_trash(app: Any) -> PeriodicCallback:
    """For the question of `image/labextension/static/deleting.js`; what is old goes now and once a day."""
    address = url_path_join(app.web_app.settings["base_url"], "/trash/(.+)")
    app.web_app.add_handlers(".*$", [(address, WhatIsDeleted)])
    root = Path(app.root_dir)

    async def empty() -> None:
        # However long it takes: nobody waits for it.
        now = datetime.now()  # the days' names are this clock's
        await Errands.of_the_server().run(partial(empty_trash, root, now), [str(root)], seconds=None)

    app.io_loop.add_callback(empty)
    daily = PeriodicCallback(empty, 1000 * 3600 * HOURS)
    daily.start()
    return daily


class WhatIsDeleted(JupyterHandler):
    """How much a deletion would take, and whether for good."""

    auth_resource = "contents"

    @authenticated
    @authorized
    async def get(self, path: str) -> None:
        manager = self.contents_manager
        model = await ensure_async(manager.get(path.strip("/"), content=False))
        root = Path(os.path.abspath(manager.root_dir))
        place = root / model["path"]

        def look() -> dict[str, Any]:
            is_folder = place.is_dir() and not place.is_symlink()
            files, size = count_files(place, COUNTED_MAX) if is_folder else (1, 0)
            return {
                "files": files, "bytes": size, "is_all": files < COUNTED_MAX, "for_good": is_in_trash(root, place),
            }  # fmt: skip

        self.set_header("Cache-Control", "no-store")
        self.finish(await Errands.of_the_server().run(look, [str(place)]))
