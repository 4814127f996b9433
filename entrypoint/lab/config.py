"""JupyterLab's configuration."""

from __future__ import annotations

from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.home.extensions import Extensions
from entrypoint.home.home import worlds_of
from entrypoint.jupyter.config import Config, merge, server_config
from entrypoint.kernels.config import kernels_config

# Language servers, of which its page asks elsewhere too. Of terminals it has to say that there are some.
RUNS_ELSEWHERE: Config = {"ServerApp": {"jpserver_extensions": {"jupyter_lsp": False}}}
LABEXTENSIONS = Path("share/jupyter/labextensions")


def lab_config(places: Places) -> Config:
    """What Workhorse decides; it wins over a person's own files."""
    # Its kernels run elsewhere where a door stands before it, and here where none does.
    what_runs = RUNS_ELSEWHERE if places.socket.parent.is_dir() else kernels_config()
    return merge(merge(server_config(places, places.socket), what_runs), _pages(places))


def _pages(places: Places) -> Config:
    # Widgets' browser side comes with the kernel's packages; a person's own come first.
    worlds = (Extensions.of(places.home).current, *worlds_of(places.home))
    labextensions = [str(world / LABEXTENSIONS) for world in worlds]
    return {
        "ServerApp": {
            # JupyterLab has "Log Out" only beside "Shut Down", which image/overrides.json takes off the menu. The
            # command palette keeps it, and asks before.
            "quit_button": True,
        },
        # Nothing calls the internet by itself, and the server's environment can't be written to.
        "LabApp": {
            # Not None, or JupyterLab would not even ask: the door answers.
            "news_url": "",
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",
            "extra_labextensions_path": labextensions,
        },
        # Jupyter Notebook's pages, which else look in fewer places.
        "JupyterNotebookApp": {"extra_labextensions_path": labextensions},
    }
