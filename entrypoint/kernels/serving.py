"""What a server needs besides Jupyter's own to run kernels and terminals, and to keep the person's home."""

from __future__ import annotations

import os
import signal

from jupyter_server.serverapp import ServerApp

from entrypoint.files.places import Places
from entrypoint.jupyter.server import is_behind_a_door
from entrypoint.kernels.backup import carry_home
from entrypoint.kernels.notices import Notices, offer_notices
from entrypoint.kernels.packages import bring_along
from entrypoint.kernels.pictures import look_before_pictures
from entrypoint.kernels.recorded import show_runs
from entrypoint.kernels.report import answer_the_door
from entrypoint.kernels.runs import Runs, follow_runs
from entrypoint.kernels.terminals import open_where_asked
from entrypoint.kernels.usage import offer_usage


def run_kernels_in(app: ServerApp, places: Places) -> Notices:
    """Makes a server the one that runs kernels; returns where it tells of what has ended."""
    notices = Notices()
    runs = Runs(notices)
    answer_the_door(app.web_app, places, runs)
    if is_behind_a_door(app):
        offer_notices(app.web_app, notices)
        follow_runs(app.web_app, runs)
        # Which Docker starts again.
        carry_home(app.web_app, places.home, lambda: os.kill(os.getpid(), signal.SIGTERM))
    app.kernel_manager.notices = notices
    show_runs(app.web_app)
    app.io_loop.add_callback(app.kernel_manager.recorder.resume)
    offer_usage(app.web_app)
    open_where_asked(app.root_dir)
    look_before_pictures()
    app.io_loop.add_callback(app.kernel_spec_manager.refresh)
    app.io_loop.add_callback(bring_along, places.home, app.log.warning)
    return notices
