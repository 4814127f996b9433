"""What a person installs for JupyterLab that needs a half in the server, in the running stack."""

from __future__ import annotations

import json
import re
from typing import Any

from tests.clients import Client
from tests.stacks import Stack

GIT = {
    "share/jupyter/labextensions/@jupyterlab/git/package.json": {
        "name": "@jupyterlab/git",
        "jupyterlab": {
            "_build": {"load": "static/remoteEntry.js", "extension": "./extension"},
            "disabledExtensions": ["@jupyterlab/console-extension"],
        },
    },
    "share/jupyter/labextensions/@jupyterlab/git/install.json": {"packageName": "jupyterlab_git"},
    "etc/jupyter/jupyter_server_config.d/jupyterlab_git.json": {
        "ServerApp": {"jpserver_extensions": {"jupyterlab_git": True}}
    },
}
PACK = "~/venv/lib/python3.13/site-packages/jupyterlab_language_pack_de_de-4.5.dist-info"


def page_config(client: Client) -> dict[str, Any]:
    page = client.session.get(f"{client.url}/lab", timeout=30).text
    found = re.search('<script id="jupyter-config-data" type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    config: dict[str, Any] = json.loads(found[1])
    return config


def test_half_of_an_extension_is_told_once_and_kept_out_of_the_page(stack: Stack, client: Client) -> None:
    before = [each["name"] for each in page_config(client)["federated_extensions"]]
    assert "@jupyter-widgets/jupyterlab-manager" in before
    # As `pip install` leaves it; the page would show its errors at every load.
    for name, content in GIT.items():
        stack.shell(f"mkdir -p ~/venv/{name.rpartition('/')[0]} && echo '{json.dumps(content)}' >~/venv/{name}")
    stack.shell(f"mkdir -p {PACK}")
    config = page_config(client)
    assert [each["name"] for each in config["federated_extensions"]] == before
    assert "@jupyterlab/git" in config["disabledExtensions"]
    assert "@jupyterlab/console-extension" not in config["disabledExtensions"]
    for _ in range(3):
        git, pack = [text for text in client.news() if "pip uninstall" in text]
    assert git.startswith("jupyterlab_git can't work here: half of it would have to be in the server")
    assert pack.startswith("jupyterlab-language-pack-de-de does nothing here")
    assert stack.log().count("jupyterlab_git can't work here") == 1
    assert "ATTENTION     The kernels' server says: jupyterlab_git can't work here" in stack.workhorse("status")
    stack.shell(f"rm -r {PACK} ~/venv/share/jupyter/labextensions ~/venv/etc/jupyter")
    assert client.news() == []


def test_a_damaged_extension_costs_no_page(stack: Stack, client: Client) -> None:
    folder = "~/venv/share/jupyter/labextensions"
    stack.shell(f"mkdir -p {folder}/cut {folder}/fifo && echo '{{' >{folder}/cut/package.json")
    stack.shell(f"mkfifo {folder}/fifo/package.json")
    assert page_config(client)["federated_extensions"]
    stack.shell(f"rm -r {folder}")
