"""Extensions that a page loads with the first thing that they show, and not with itself.

JupyterLab loads each renderer whole before it shows anything: plotly's alone is as large as all else that a page loads.
"""

from __future__ import annotations

from typing import Any

# As RENDERERS in image/labextension/static/remoteEntry.js registers them.
RENDERERS = {"jupyterlab-plotly"}


def hold_back(page_config: dict[str, Any]) -> dict[str, Any]:
    """A page's configuration with those apart, for Workhorse's own extension, which loads them."""
    extensions = page_config.get("federated_extensions", [])
    held_back = [each for each in extensions if each["name"] in RENDERERS and "extension" not in each]
    return page_config | {
        "federated_extensions": [each for each in extensions if each not in held_back],
        "workhorseHeldBack": held_back,
    }
