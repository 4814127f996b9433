"""Runs JupyterLab, as the process that the lab's start becomes."""

from __future__ import annotations

import sys
from pathlib import Path

from entrypoint.lab.seldom import load_on_use

# Before JupyterLab is imported.
load_on_use()

from jupyterlab.labapp import LabApp

from entrypoint.files.places import Places
from entrypoint.jupyter.server import initialized, is_behind_a_door
from entrypoint.kernels.serving import run_kernels_in
from entrypoint.lab.folders import offer_folders
from entrypoint.lab.pages import offer_labextensions
from entrypoint.lab.settings_files import look_before_settings


def main(config_file: Path) -> None:
    places = Places()
    app = initialized(config_file, "lab", lambda config: LabApp.initialize_server(argv=[], config=config))
    offer_labextensions(app.web_app, places)
    offer_folders(app.web_app)
    look_before_settings(places.home, app.log.warning)
    if not is_behind_a_door(app):
        run_kernels_in(app, places)
    app.start()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
