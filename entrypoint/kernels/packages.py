"""What an update of Python has left behind of a person's packages: installed beside the server, and told of."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from subprocess import DEVNULL, PIPE, STDOUT
from typing import Any

from entrypoint.files.untrusted import shown_lines
from entrypoint.home.home import venv_of, worlds_of
from entrypoint.home.lacking import explain, lacks_any
from entrypoint.jupyter.errands import Errands
from entrypoint.kernels.expendable import expendable

MISSING = re.compile(r"No module named '(?P<module>\w+)")
Say = Callable[[str], None]


async def bring_along(home: Path, say: Say, python: str = sys.executable) -> None:
    """Installs anew what the former Python had, in a process of its own; no start waits for it."""
    venv = venv_of(home)
    if not await Errands.of_the_server().run(partial(lacks_any, venv), [str(venv)]):
        return
    command = expendable([python, "-I", "-m", "entrypoint.home.reinstall", str(venv)])
    child = await asyncio.create_subprocess_exec(*command, stdin=DEVNULL, stdout=PIPE, stderr=STDOUT)
    assert child.stdout  # noqa: S101  # it was asked for
    async for line in child.stdout:
        say(shown_lines(line.decode(errors="replace").rstrip()))
    await child.wait()


async def explanation_of(error: Mapping[str, Any], kernel_folder: str, home: Path) -> str | None:
    """What is told below an error of a cell; None where an update is no cause of it.

    Args:
        error: The content of the kernel's message.
        kernel_folder: Where the kernel's specification lies: other environments have packages of their own.
    """
    found = MISSING.match(str(error.get("evalue")))
    if not (found and any(Path(kernel_folder).is_relative_to(world) for world in worlds_of(home))):
        return None
    venv = venv_of(home)
    told: str | None = await Errands.of_the_server().run(partial(explain, venv, found["module"]), [str(venv)])
    return told
