"""Settings of the person's that Jupyter opens by itself: what it would never come to the end of is set aside before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.private import set_aside
from entrypoint.files.untrusted import read_linked, shown

# What a server reads below the home: at its start (jupyter_core.application, jupyter_server.config_manager), and for
# each page (jupyterlab_server: config, settings_utils, workspaces_handler).
READ = (
    ".jupyter/*.json",
    ".jupyter/*.py",
    ".jupyter/jupyter_server_config.d/*.json",
    ".jupyter/labconfig/*.json",
    ".jupyter/lab/user-settings/*/*.jupyterlab-settings",
    ".jupyter/lab/user-settings/*/*/*.jupyterlab-settings",
    ".jupyter/lab/workspaces/*.jupyterlab-workspace",
)


def set_odd_settings_aside(home: Path, say: Callable[[str], None]) -> None:
    """Sets aside pipes, devices and whatever else is no file of settings, and says so. Links to files are fine."""
    for file in (file for pattern in READ for file in sorted(home.glob(pattern))):
        try:
            read_linked(file)
        except FileNotFoundError:
            continue
        except OSError as error:
            say(f"{shown(str(file))} can't be used as settings ({error.strerror}); {_kept(file)}.")


def _kept(file: Path) -> str:
    try:
        return f"it is kept as {shown(str(set_aside(file)))}"
    except WorkhorseError as error:
        return f"nor set aside: {error}"
