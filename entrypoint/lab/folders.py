"""Downloads of folders, of which Jupyter has none: an archive that a process of its own writes."""

from __future__ import annotations

import os
import sys
from asyncio import create_subprocess_exec
from asyncio.subprocess import DEVNULL, PIPE
from functools import partial
from typing import Any

from jupyter_core.utils import ensure_async
from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado.web import HTTPError, authenticated

from entrypoint.jupyter.errands import Errands
from entrypoint.jupyter.streams import Stream
from entrypoint.lab.folder_archive import HIDDEN

PACK = (sys.executable, "-I", "-m", "entrypoint.lab.folder_archive")


def offer_folders(web_app: Any) -> None:
    """For the entry of `image/labextension/static/remoteEntry.js` in the file browser."""
    web_app.add_handlers(".*$", [(url_path_join(web_app.settings["base_url"], "/folders/(.+)"), FolderDownload)])


class FolderDownload(Stream, JupyterHandler):
    """A folder that the file browser shows, as far as it shows what is in it."""

    auth_resource = "contents"

    @authenticated
    @authorized
    async def get(self, path: str) -> None:
        # Only pages of this server may ask, as for files.
        self.check_xsrf_cookie()
        folder = await self._find(path.strip("/"))
        self.set_header("Content-Type", "application/gzip")
        self.set_header("Cache-Control", "no-store")
        self.set_attachment_header(f"{os.path.basename(folder)}.tar.gz")
        # As the file browser is set at the moment.
        shows_hidden = self.contents_manager.allow_hidden and self.get_query_argument("hidden", "") == "1"
        options = [HIDDEN] if shows_hidden else []
        child = await create_subprocess_exec(*PACK, folder, *options, stdin=DEVNULL, stdout=PIPE)
        if not await self.send(child) and not self.has_gone:
            # So that nobody takes it for whole.
            self.detach().close()

    async def _find(self, path: str) -> str:
        """The folder on the disk, refused by whatever JupyterLab's own listing would refuse it by, and behind links."""
        manager = self.contents_manager
        await ensure_async(manager.get(path, content=False, type="directory"))
        folder = os.path.normpath(os.path.join(os.path.abspath(manager.root_dir), path))
        look = partial(os.path.realpath, folder)
        if await Errands.of_the_server().run(look, [folder]) != folder:
            raise HTTPError(400, f"{path} is a link or lies behind one: download the folder where it lies")
        return folder
