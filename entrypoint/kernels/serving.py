"""What a server needs besides Jupyter's own to run kernels and terminals, and to keep the person's home."""

from __future__ import annotations

import os
import signal

from jupyter_server.serverapp import ServerApp

from entrypoint.files.places import Places
from entrypoint.jupyter.server import is_behind_a_door
from entrypoint.kernels.backup import carry_home
from entrypoint.kernels.packages import bring_along
from entrypoint.kernels.pictures import look_before_pictures
from entrypoint.kernels.report import answer_the_door
from entrypoint.kernels.terminals import look_before_opening


def run_kernels_in(app: ServerApp, places: Places) -> None:
    """Makes a server the one that runs kernels."""
    answer_the_door(app.web_app, places)
    if is_behind_a_door(app):
        # Which Docker starts again.
        carry_home(app.web_app, places.home, lambda: os.kill(os.getpid(), signal.SIGTERM))
    look_before_opening(app.root_dir)
    look_before_pictures()
    app.io_loop.add_callback(app.kernel_spec_manager.refresh)
    app.io_loop.add_callback(bring_along, places.home, app.log.warning)
