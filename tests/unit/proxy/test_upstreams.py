"""Which of the two servers behind the door an address belongs to."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.proxy.upstreams import Upstream, Upstreams

BOTH = Upstreams(Upstream("lab", Path("lab")), Upstream("kernels", Path("kernels")))


@pytest.mark.parametrize(
    "path",
    ["/api/kernels", "/api/kernels/1/channels", "/api/sessions", "/api/terminals/1", "/terminals/websocket/1",
     "/kernelspecs/python3/logo-svg.svg", "/lsp/status"],
)  # fmt: skip
def test_what_runs_is_asked_of_what_runs(path: str) -> None:
    assert BOTH.of(path).service == "kernels"


@pytest.mark.parametrize(
    "path",
    ["/", "/lab", "/tree/api/kernels", "/notebooks/a.ipynb", "/terminals/1", "/consoles/1", "/edit/a.txt",
     "/api/contents/api/kernels", "/api/kernelspecsx", "/API/kernels", "/terminals/websocketx"],
)  # fmt: skip
def test_pages_and_files_are_asked_of_the_lab(path: str) -> None:
    assert BOTH.of(path).service == "lab"
