"""Extensions of a test's own for both of Jupyter's servers, to look at them from within while they run."""

from __future__ import annotations

import json

from tests.stacks import Stack


def add_extension(stack: Stack, module: str, source: str) -> None:
    """Adds one to a stack that has not started yet."""
    (stack.folder / f"{module}.py").write_text(source)
    (stack.folder / f"{module}.json").write_text(json.dumps({"ServerApp": {"jpserver_extensions": {module: True}}}))
    (stack.folder / "docker-compose.override.yml").write_text(f"""
services:
  lab:
    volumes: &extension
      - {stack.folder}/{module}.py:/opt/server/lib/python3.13/site-packages/{module}.py:ro
      - {stack.folder}/{module}.json:/opt/server/etc/jupyter/jupyter_server_config.d/{module}.json:ro
  kernels:
    volumes: *extension
""")
