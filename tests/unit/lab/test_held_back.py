"""What a page loads with the first thing that it shows."""

from __future__ import annotations

from typing import Any

from entrypoint.lab.held_back import hold_back

PLOTLY = {"name": "jupyterlab-plotly", "load": "static/a.js", "mimeExtension": "./mimeExtension", "entrypoints": None}
WIDGETS = {"name": "@jupyter-widgets/jupyterlab-manager", "load": "static/b.js", "extension": "./extension"}


def test_a_large_renderer_is_apart_from_what_a_page_loads_with_itself() -> None:
    former = {"appName": "x", "federated_extensions": [WIDGETS, PLOTLY]}
    config = hold_back(former)
    assert config == {"appName": "x", "federated_extensions": [WIDGETS], "workhorseHeldBack": [PLOTLY]}
    assert former["federated_extensions"] == [WIDGETS, PLOTLY]


def test_one_that_does_more_than_show_is_loaded_as_ever() -> None:
    more: dict[str, Any] = PLOTLY | {"extension": "./extension"}
    assert hold_back({"federated_extensions": [more]})["federated_extensions"] == [more]
