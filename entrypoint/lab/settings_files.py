"""JupyterLab's settings and workspaces, which it opens in the event loop: they are looked at beside it first."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from inspect import isawaitable
from pathlib import Path
from typing import Any

from jupyterlab_server.handlers import LabHandler  # type: ignore[import-not-found]
from jupyterlab_server.settings_handler import SettingsHandler  # type: ignore[import-not-found]
from jupyterlab_server.workspaces_handler import WorkspacesHandler  # type: ignore[import-not-found]

from entrypoint.home.personal_files import set_odd_settings_aside
from entrypoint.jupyter.errands import Errands

Say = Callable[[str], None]


def look_before_settings(home: Path, say: Say) -> None:
    """To be called once, before JupyterLab's own handlers then read and write what lies there."""
    for handler, name in (
        (LabHandler, "get"),
        (SettingsHandler, "get"),
        (SettingsHandler, "put"),
        (WorkspacesHandler, "get"),
        (WorkspacesHandler, "put"),
    ):
        setattr(handler, name, looking_first(getattr(handler, name), home, say))


def looking_first(method: Callable[..., Any], home: Path, say: Say) -> Callable[..., Any]:
    @wraps(method)
    async def look_and_answer(self: Any, *args: Any, **options: Any) -> Any:
        await Errands.of_the_server().run(partial(set_odd_settings_aside, home, say), [str(home)])
        answer = method(self, *args, **options)
        return await answer if isawaitable(answer) else answer

    return look_and_answer
