"""Runs JupyterLab, as the process that the lab's start becomes."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

from entrypoint.lab.seldom import load_on_use

# Before JupyterLab is imported.
load_on_use()

from jupyter_server.serverapp import ServerApp
from jupyterlab.labapp import LabApp
from traitlets.config import Config

from entrypoint.files.places import Places
from entrypoint.home.extensions import Extensions
from entrypoint.jupyter.server import initialized, is_behind_a_door
from entrypoint.kernels.rest import become
from entrypoint.kernels.serving import run_kernels_in
from entrypoint.lab.exports import offer_exports_that_work
from entrypoint.lab.extensions import Guests
from entrypoint.lab.first_page import offer_first_page
from entrypoint.lab.folders import offer_folders
from entrypoint.lab.pages import offer_labextensions, show_errors_as_ours, tell_of_cluster
from entrypoint.lab.settings_files import look_before_settings
from entrypoint.lab.static_files import serve_compressed
from entrypoint.lab.trash import offer_trash


def main(config_file: Path) -> None:
    places = Places()
    guests = Guests(Extensions.of(places.home))
    app = initialized(config_file, "lab", partial(serving_with, guests))
    guests.report(app.log.warning)
    offer_labextensions(app.web_app, places, guests)
    tell_of_cluster(app.web_app, places)
    show_errors_as_ours(app.web_app)
    offer_folders(app.web_app)
    offer_first_page(app.web_app)
    look_before_settings(places.home, app.log.warning)
    serve_compressed()
    offer_exports_that_work()
    emptying = offer_trash(app)
    if is_behind_a_door(app):
        following = guests.follow(partial(become, ["entrypoint.lab.server", str(config_file)]))
        app.start()
        following.stop()
    else:
        # This one takes up nothing new while it runs: kernels would end.
        run_kernels_in(app, places)
        app.start()
    emptying.stop()


def serving_with(guests: Guests, config: Config) -> ServerApp:
    return LabApp.initialize_server(argv=[], config=guests.invite(config))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
