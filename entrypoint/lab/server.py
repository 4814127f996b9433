"""Runs JupyterLab, as the process that the lab's start becomes."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import signal
import sys
import time
import warnings
from pathlib import Path
from typing import Any

from entrypoint.lab.seldom import load_on_use

# Before JupyterLab is imported.
load_on_use()

from jupyter_server.utils import JupyterServerAuthWarning
from jupyterlab.labapp import LabApp
from traitlets.config import Config

from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted
from entrypoint.lab.backup import carry_home
from entrypoint.lab.folders import offer_folders
from entrypoint.lab.kernel_pictures import look_before_pictures
from entrypoint.lab.last_words import say_last_words
from entrypoint.lab.leftovers import clear
from entrypoint.lab.packages import bring_along
from entrypoint.lab.pages import offer_labextensions
from entrypoint.lab.report import answer_the_door
from entrypoint.lab.settings_files import look_before_settings
from entrypoint.lab.terminals import look_before_opening
from entrypoint.system.allocator import bound_arenas
from entrypoint.system.file_limit import raise_file_limit


def main(config_file: Path) -> None:
    places = Places()
    # Run by itself, the image may have no such folder to write to.
    with contextlib.suppress(OSError):
        clear(places.temporary, time.time())
    try:
        config = json.loads(read_untrusted(config_file))
    except (OSError, ValueError) as error:
        sys.exit(f"{config_file} can't be read: {error}.\n  A start writes it anew: docker compose restart lab")
    # Extensions that leave the guarding to jupyter-server, which does guard them.
    warnings.simplefilter("ignore", JupyterServerAuthWarning)
    bound_arenas()
    raise_file_limit()
    app = LabApp.initialize_server(argv=[], config=Config(with_quiet_start(config)))
    for log in (app.log, logging.getLogger("tornado.general")):
        log.addFilter(is_worth_a_line)
    offer_labextensions(app.web_app, places)
    offer_folders(app.web_app)
    answer_the_door(app.web_app, places)
    if "sock" in config["ServerApp"]:
        # Which Docker starts again.
        carry_home(app.web_app, places.home, lambda: os.kill(os.getpid(), signal.SIGTERM))
    look_before_opening(app.root_dir)
    look_before_pictures()
    look_before_settings(places.home, app.log.warning)
    say_last_words()
    app.io_loop.add_callback(app.kernel_spec_manager.refresh)
    app.io_loop.add_callback(bring_along, places.home, app.log.warning)
    app.io_loop.add_callback(app.set_trait, "log_level", config["ServerApp"].get("log_level", logging.INFO))
    app.start()


def is_worth_a_line(record: logging.LogRecord) -> bool:
    """Leaves out what Jupyter says of itself as installed elsewhere and built by hand, and tornado of its pings."""
    quiet = ("non-installed server", "without nodejs", "websocket_ping_timeout", "All authentication is disabled")
    return not any(part in record.getMessage() for part in quiet)


def with_quiet_start(config: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Without Jupyter's own lines about its start, which name addresses that nobody outside the container can open."""
    if "sock" not in config["ServerApp"]:
        return config
    quiet = {"log_level": logging.WARNING}
    return {**config, "Application": quiet, "ServerApp": {**config["ServerApp"], **quiet}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
