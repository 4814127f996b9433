"""What a person installs for JupyterLab that has a half in the server, in the running stack."""

from __future__ import annotations

import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.clients import SECONDS, Client, unless_away
from tests.stacks import Stack, poll

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

NAMES = "jupyterlab-git jupyterlab-language-pack-de-DE jupyterlab-lsp"


def page_config(client: Client) -> dict[str, Any]:
    page = client.session.get(f"{client.url}/lab", timeout=SECONDS)
    page.raise_for_status()
    found = re.search('<script id="jupyter-config-data" type="application/json">(.*?)</script>', page.text, re.DOTALL)
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
    assert git.startswith("jupyterlab_git can't work from here: half of it has to be in JupyterLab's server")
    assert "workhorse extension install jupyterlab_git;" in git
    assert pack.startswith("jupyterlab-language-pack-de-de does nothing here")
    assert stack.told("jupyterlab_git can't work from here").count("jupyterlab_git can't work from here") == 1
    assert "ATTENTION     The kernels' server says: jupyterlab_git can't work from here" in stack.workhorse("status")
    stack.shell(f"rm -r {PACK} ~/venv/share/jupyter/labextensions ~/venv/etc/jupyter")
    assert client.news() == []


def test_a_damaged_extension_costs_no_page(stack: Stack, client: Client) -> None:
    folder = "~/venv/share/jupyter/labextensions"
    stack.shell(f"mkdir -p {folder}/cut {folder}/fifo && echo '{{' >{folder}/cut/package.json")
    stack.shell(f"mkfifo {folder}/fifo/package.json")
    assert page_config(client)["federated_extensions"]
    stack.shell(f"rm -r {folder}")


def wheel(folder: Path, name: str, source: str) -> None:
    """A package with a half in the server, as pip takes it from a folder."""
    information, config = f"{name}-1.0.dist-info", f"{name}-1.0.data/data/etc/jupyter/jupyter_server_config.d"
    files = {
        f"{name}.py": source,
        f"{config}/{name}.json": json.dumps({"ServerApp": {"jpserver_extensions": {name: True}}}),
        f"{information}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{information}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    files[f"{information}/RECORD"] = "".join(f"{each},,\n" for each in [*files, f"{information}/RECORD"])
    with zipfile.ZipFile(folder / f"{name}-1.0-py3-none-any.whl", "w") as archive:
        for each, text in files.items():
            archive.writestr(each, text)


def extensions_in(client: Client) -> list[str]:
    return [each["name"] for each in page_config(client)["federated_extensions"]]


def install(stack: Stack, names: str) -> str:
    return stack.shell(f"PIP_FIND_LINKS=/repositories workhorse extension install {names}")


def test_extensions_with_a_half_in_the_server_work_and_kernels_run_on(stack: Stack, client: Client) -> None:
    kernel = client.start_kernel()
    kernel.run("kept = 42")
    assert "takes it up within a few seconds" in install(stack, NAMES)
    poll(unless_away(lambda: "@jupyterlab/git" in extensions_in(client) or None), wanted="jupyterlab-git in the page")
    assert {"nbdime-jupyterlab", "@jupyter-lsp/jupyterlab-lsp"} <= set(extensions_in(client))
    assert "@jupyterlab/git" not in page_config(client)["disabledExtensions"]
    stack.shell("git init -q /repositories/project")
    status = client.session.post(
        f"{client.url}/git/project/status",
        json={},
        headers={"X-XSRFToken": client.session.cookies["_xsrf"]},
        timeout=SECONDS,
    )
    assert status.json()["code"] == 0, status.text
    german = client.session.get(f"{client.url}/lab/api/translations/de_DE", timeout=SECONDS).json()
    assert german["data"]["jupyterlab"]["Cancel"] == ["Abbrechen"]
    assert kernel.run("print(kept)") == "42\n"
    assert [text for text in client.news() if "extension" in text] == []
    # What the server has, it isn't given twice.
    site = "~/.local/share/workhorse/extensions/current/lib/python3.13/site-packages"
    assert not {"tornado", "jupyter_server", "jupyterlab", "lark"} & set(stack.shell(f"ls {site}").split())


@pytest.mark.parametrize(
    ("name", "source", "reason"),
    [
        ("raises", "raise ValueError('no such colour')", "ValueError: no such colour"),
        ("exits", "import os\nos._exit(3)", "it ended JupyterLab's server"),
    ],
)
def test_a_broken_extension_is_left_out_and_told(
    stack: Stack, client: Client, name: str, source: str, reason: str
) -> None:
    wheel(stack.repositories, name, source)
    install(stack, name)
    told = f"JupyterLab runs without the extension {name}: "
    (line,) = poll(unless_away(lambda: [each for each in client.news() if told in each]), wanted="news of it")
    assert reason in line
    stack.told(told)
    assert "JupyterLab on localhost" in page_config(client)["appName"]
    assert name in stack.shell("workhorse extension")
    # Which a restart keeps, and its removal mends.
    stack.compose("restart", "lab")
    poll(unless_away(lambda: client.session.get(f"{client.url}/lab", timeout=SECONDS).ok or None))
    assert [each for each in client.news() if told in each]
    stack.shell(f"PIP_FIND_LINKS=/repositories workhorse extension remove {name}")
    poll(unless_away(lambda: [each for each in client.news() if told in each] == [] or None), wanted="no news of it")


def test_the_page_names_its_server(client: Client) -> None:
    config = page_config(client)
    assert (config["appName"], config["appNamespace"]) == ("JupyterLab on localhost", "JupyterLab")
