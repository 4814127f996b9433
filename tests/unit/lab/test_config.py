"""JupyterLab's configuration: what a person sets applies, except where Workhorse decides."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from entrypoint.files.places import Places
from entrypoint.jupyter.config import write_config
from entrypoint.lab.config import lab_config


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.home, places.repositories, places.server_run, places.socket.parent):
        folder.mkdir(parents=True)
    return places


def config(places: Places) -> tuple[dict[str, dict[str, Any]], list[str]]:
    said: list[str] = []
    write_config(places.lab_config, lab_config(places), places.home, said.append)
    return json.loads(places.lab_config.read_text()), said


def test_the_configuration_calls_nobody_and_listens_behind_the_door_alone(places: Places) -> None:
    written, said = config(places)
    assert said == []
    assert written["ServerApp"]["sock"] == str(places.socket)
    # Any other beside a socket would end Jupyter.
    assert written["ServerApp"]["port"] == 8888
    assert written["LabApp"]["news_url"] == ""
    assert written["LabApp"]["extension_manager"] == "readonly"
    assert written["FileContentsManager"]["delete_to_trash"] is True


def test_jupyter_notebook_s_pages_find_what_jupyterlab_s_find(places: Places) -> None:
    written, _ = config(places)
    (folder,) = {
        each for each in written["LabApp"]["extra_labextensions_path"] if each.startswith("/opt/conda/envs/default")
    }
    assert written["JupyterNotebookApp"]["extra_labextensions_path"] == written["LabApp"]["extra_labextensions_path"]
    assert folder.endswith("/share/jupyter/labextensions")


def test_without_a_door_jupyter_s_own_login_stands(places: Places) -> None:
    places.socket.parent.rmdir()
    written, _ = config(places)
    assert written["ServerApp"]["port"] == 8888
    assert not written["ServerApp"].keys() & {"identity_provider_class", "token", "password"}


def test_personal_settings_apply_except_where_workhorse_decides(places: Places) -> None:
    folder = places.home / ".jupyter" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text('{"ServerApp": {"sock": "x"}, "MyExtension": {"colour": "blue", "size": 1}}')
    (folder / "b.json").write_text('{"MyExtension": {"colour": "red"}}')
    (folder / "c.json").write_text("not json")
    (folder / "d.json").write_text('["no settings"]')
    written, said = config(places)
    assert written["ServerApp"]["sock"] == str(places.socket)
    assert written["MyExtension"] == {"colour": "red", "size": 1}
    assert any("ServerApp.sock" in line and "overruled" in line for line in said)
    assert [line for line in said if "c.json is left out" in line]
    assert [line for line in said if "d.json is left out" in line]


def test_personal_settings_in_a_dictionary_apply_key_by_key(places: Places) -> None:
    folder = places.home / ".jupyter" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    sizes = {
        "websocket_max_message_size": 1,
        "ws_ping_interval": 5,
    }
    (folder / "a.json").write_text(json.dumps({"ServerApp": {"tornado_settings": sizes}}))
    (folder / "b.json").write_text('{"ServerApp": {"tornado_settings": {"websocket_max_message_size": 2}}}')
    written, said = config(places)
    settings = written["ServerApp"]["tornado_settings"]
    assert settings == {
        "websocket_max_message_size": 2,
        "ws_ping_interval": 30_000,
        "ws_ping_timeout": 90_000,
    }
    name = "ServerApp.tornado_settings"
    assert [line.split()[0] for line in said] == [f"{name}.ws_ping_interval"]
