"""What of a person's own JupyterLab extensions reaches the page, and what is told of the others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from entrypoint.home.labextensions import Labextensions, tell

BUILD = {"load": "static/remoteEntry.js"}


def install(world: Path, name: str, module: str = "", package: str = "", **jupyterlab: Any) -> Path:
    """As pip leaves a labextension, and the file by which its other half is loaded into a server."""
    folder = world / "share/jupyter/labextensions" / name
    folder.mkdir(parents=True)
    (folder / "package.json").write_text(json.dumps({"name": name, "jupyterlab": {"_build": BUILD, **jupyterlab}}))
    if package:
        (folder / "install.json").write_text(json.dumps({"packageName": package}))
    if module:
        ask_of_the_server(world, module, {"ServerApp": {"jpserver_extensions": {module: True}}})
    return folder


def ask_of_the_server(world: Path, name: str, config: object) -> None:
    folder = world / "etc/jupyter/jupyter_server_config.d"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps(config))


def shown(world: Path) -> list[str]:
    return list(Labextensions((world,)).find([str(world / "share/jupyter/labextensions")]))


# As jupyterlab-git, jupyter-server-proxy and nbdime have it.
HALVES: list[dict[str, Any]] = [
    {"name": "@jupyterlab/git", "module": "jupyterlab_git", "package": "jupyterlab_git"},
    {"name": "@jupyterhub/jupyter-server-proxy", "module": "jupyter_server_proxy"},
    {
        "name": "nbdime-jupyterlab",
        "module": "nbdime.webapp",
        "discovery": {"server": {"base": {"name": "nbdime"}, "managers": ["pip"]}},
    },
]


@pytest.mark.parametrize("half", HALVES, ids=lambda half: half["name"])
def test_half_of_an_extension_is_left_out_and_told(tmp_path: Path, half: dict[str, Any]) -> None:
    install(tmp_path, **half)
    install(tmp_path, "whole")
    assert shown(tmp_path) == ["whole"]
    package = half["module"].partition(".")[0]
    (line,) = tell((tmp_path,))
    assert line.startswith(f"{package} can't work from here: half of it has to be in JupyterLab's server")
    assert line.endswith(f"pip uninstall {package}")


def test_an_extension_whose_other_half_the_server_has_is_shown(tmp_path: Path) -> None:
    # `json` stands for a module of the server's.
    install(tmp_path, "@some/json", "json", "json")
    assert shown(tmp_path) == ["@some/json"]
    assert list(tell((tmp_path,))) == []


def test_what_is_left_out_keeps_nothing_in_the_page(tmp_path: Path) -> None:
    install(tmp_path, "@jupyterlab/git", "jupyterlab_git", "jupyterlab_git")
    extensions = Labextensions((tmp_path,))
    extensions.find([str(tmp_path / "share/jupyter/labextensions")])
    page = extensions.disable(None, {"disabledExtensions": ["mine"], "token": ""})
    assert page == {"disabledExtensions": ["mine", "@jupyterlab/git"], "token": ""}


def test_of_two_with_one_name_the_earlier_folder_s_counts(tmp_path: Path) -> None:
    for world, build in (("a", "first.js"), ("b", "second.js")):
        install(tmp_path / world, "@same/name", _build={"load": build})
    folders = [str(tmp_path / world / "share/jupyter/labextensions") for world in ("a", "b")]
    (found,) = Labextensions(()).find(folders).values()
    assert found["jupyterlab"]["_build"]["load"] == "first.js"


def test_a_language_pack_is_told(tmp_path: Path) -> None:
    (tmp_path / "lib/python3.13/site-packages/jupyterlab_language_pack_de_de-4.5.post3.dist-info").mkdir(parents=True)
    (line,) = tell((tmp_path,))
    assert line.startswith("jupyterlab-language-pack-de-de does nothing here: languages are JupyterLab's server's")


@pytest.mark.parametrize(
    "content", ["", "[]", '{"name": 1}', '{"name": "x"}', "[" * 200_000, '{"name": "x", "jupyterlab": 1}']
)
def test_a_damaged_extension_costs_no_page(tmp_path: Path, content: str) -> None:
    (install(tmp_path, "damaged") / "package.json").write_text(content)
    install(tmp_path, "whole")
    assert shown(tmp_path) == ["whole"]


def test_an_extension_whose_file_is_none_costs_no_page(tmp_path: Path) -> None:
    for name, plant in (("fifo", os.mkfifo), ("endless", lambda file: file.symlink_to("/dev/zero"))):
        file = install(tmp_path, name) / "package.json"
        file.unlink()
        plant(file)
    assert shown(tmp_path) == []


@pytest.mark.parametrize(
    "config",
    [[], {"ServerApp": []}, {"ServerApp": {"jpserver_extensions": {"x y; rm": True, "": True, "gone": False}}}],
)
def test_what_is_no_module_is_not_told(tmp_path: Path, config: object) -> None:
    ask_of_the_server(tmp_path, "odd", config)
    assert list(tell((tmp_path,))) == []
