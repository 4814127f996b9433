"""Terminals: as expendable as kernels, and opened only where the disk answers."""

from __future__ import annotations

import json
import os
from functools import partial, wraps
from typing import Any

from jupyter_server_terminals.api_handlers import TerminalRootHandler
from jupyter_server_terminals.terminalmanager import TerminalManager

from entrypoint.jupyter.errands import Errands
from entrypoint.kernels.expendable import expendable


class Terminals(TerminalManager):
    """Jupyter's own, started like kernels."""

    def new_terminal(self, **options: Any) -> Any:
        shell = options.pop("shell_command", self.shell_command)
        return super().new_terminal(shell_command=expendable(shell), **options)


def open_where_asked(root: str) -> None:
    """Has a new terminal open in the folder that it is asked for in, or else in the notebooks' folder.

    Jupyter's own handler, besides asking the disk in the event loop, takes a path for one below the folder that the
    server runs in, which is the system's.

    Args:
        root: The notebooks' folder.
    """
    post = TerminalRootHandler.post

    @wraps(post)
    async def find_and_post(self: Any) -> Any:
        asked = self.get_json_body() or {}
        if (folder := await found(asked.pop("cwd", ""), root)) is not None:
            asked["cwd"] = folder
        self.request.body = json.dumps(asked).encode()
        return await post(self)

    TerminalRootHandler.post = find_and_post


async def found(folder: object, root: str) -> str | None:
    """The folder of that name in the notebooks' folder; where there is none, the latter; where that is gone, none."""
    asked = folder if isinstance(folder, str) and "\0" not in folder else ""
    for path in (os.path.join(root, asked), root):
        if await Errands.of_the_server().run(partial(os.path.isdir, path), [path]):
            return path
    return None
