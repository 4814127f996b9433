"""What JupyterLab's page loads besides itself: what a person installed for it, as far as it can work here."""

from __future__ import annotations

from typing import Any

from jupyterlab_server import config  # type: ignore[import-not-found]

from entrypoint.files.places import Places
from entrypoint.home.home import worlds_of
from entrypoint.home.labextensions import Labextensions


def offer_labextensions(web_app: Any, places: Places) -> None:
    extensions = Labextensions(worlds_of(places.home))
    config.get_federated_extensions = extensions.find
    web_app.settings["page_config_hook"] = extensions.disable
