"""Terminals: as expendable as kernels, and opened only where the disk answers."""

from __future__ import annotations

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


def look_before_opening(root: str) -> None:
    """Asks for a new terminal's folder beside the event loop first, where Jupyter's own handler then asks for it.

    Args:
        root: The notebooks' folder.
    """
    post = TerminalRootHandler.post

    @wraps(post)
    async def look_and_post(self: Any) -> Any:
        folder = (self.get_json_body() or {}).get("cwd")
        if isinstance(folder, str) and "\0" not in folder:
            path = os.path.join(root, folder)
            await Errands.of_the_server().run(partial(os.path.isdir, path), [path])
        return await post(self)

    TerminalRootHandler.post = look_and_post
