"""What JupyterLab's page loads besides itself: what a person installed for it, as far as it can work; and errors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import ChoiceLoader, FileSystemLoader
from jupyterlab_server import config  # type: ignore[import-not-found]

from entrypoint.files.places import Places
from entrypoint.home.home import worlds_of
from entrypoint.home.labextensions import Labextensions
from entrypoint.lab.extensions import Guests
from entrypoint.lab.held_back import hold_back
from entrypoint.lab.preloading import hints

HTML = Path(__file__).parent / "html"


def named(host: str) -> dict[str, str]:
    """What tells one server's tabs from another's; the namespace, by which settings are kept, stays JupyterLab's."""
    return {"appName": f"JupyterLab on {host}", "appNamespace": "JupyterLab"}


def offer_labextensions(web_app: Any, places: Places, guests: Guests) -> None:
    extensions = Labextensions((guests.extensions.current, *worlds_of(places.home)), guests.has)

    def complete(handler: Any, page_config: dict[str, Any]) -> dict[str, Any]:
        page_config = hold_back(extensions.disable(handler, page_config))
        handler.set_header("Link", hints(page_config, Path(handler.extensionapp.static_dir)))
        return page_config | named(handler.request.host_name)

    config.get_federated_extensions = extensions.find
    web_app.settings["page_config_hook"] = complete


def tell_of_cluster(web_app: Any, places: Places) -> None:
    """Lets the page offer the cluster's pages, which the door has."""
    if places.dask_socket.parent.is_dir():
        web_app.settings.setdefault("page_config_data", {})["workhorseCluster"] = "true"


def show_errors_as_ours(web_app: Any) -> None:
    """Gives the pages of errors the look of the door's, and a way back; each of Jupyter's applications has its own."""
    for name, environment in web_app.settings.items():
        if name.endswith("jinja2_env"):
            environment.loader = ChoiceLoader([FileSystemLoader(HTML), environment.loader])
