"""Runs a Jupyter server with the configuration that its start has written."""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import JupyterServerAuthWarning
from traitlets.config import Config

from entrypoint.files.untrusted import read_untrusted
from entrypoint.jupyter.contents import answer_beside
from entrypoint.jupyter.last_words import say_last_words
from entrypoint.system.allocator import bound_arenas
from entrypoint.system.file_limit import raise_file_limit


def initialized(config_file: Path, service: str, make: Callable[[Config], ServerApp]) -> ServerApp:
    """A server that has everything but its loop.

    Args:
        service: Compose's name of what runs it.
    """
    try:
        config = json.loads(read_untrusted(config_file))
    except (OSError, ValueError) as error:
        sys.exit(f"{config_file} can't be read: {error}.\n  A start writes it anew: docker compose restart {service}")
    # Extensions that leave the guarding to jupyter-server, which does guard them.
    warnings.simplefilter("ignore", JupyterServerAuthWarning)
    bound_arenas()
    raise_file_limit()
    app = make(Config(with_quiet_start(config)))
    for log in (app.log, logging.getLogger("tornado.general")):
        log.addFilter(is_worth_a_line)
    say_last_words()
    answer_beside()
    app.io_loop.add_callback(app.set_trait, "log_level", config["ServerApp"].get("log_level", logging.INFO))
    return app


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leaves out what Jupyter says of itself as installed elsewhere and built by hand, and tornado of its pings."""
    quiet = ("non-installed server", "without nodejs", "websocket_ping_timeout", "All authentication is disabled")
    return not any(part in record.getMessage() for part in quiet)


def is_behind_a_door(app: ServerApp) -> bool:
    return bool(app.sock)


def with_quiet_start(config: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without Jupyter's own lines about its start, which name addresses that nobody outside the container can open."""
    if "sock" not in config["ServerApp"]:
        return config
    quiet = {"log_level": logging.WARNING}
    return {**config, "Application": quiet, "ServerApp": {**config["ServerApp"], **quiet}}
