"""What large notebooks cost that are open while nothing runs: no more memory than without the recorder."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable

from tests.browser.lab import write_notebook
from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.extensions import add_extension
from tests.stack.test_loads import look_at
from tests.stacks import KERNELS, Stack

NOTEBOOKS, MEGABYTES = 5, 20
TEXT = "0123456789abcde\n" * (MEGABYTES * 65536)
WITHOUT_RECORDER = """
from entrypoint.recorder.recorder import Recorder


def _load_jupyter_server_extension(app):
    for name in ("ask", "take", "answer", "join", "leave", "end", "lose", "resume"):
        setattr(Recorder, name, lambda *arguments, **options: None)
"""


def test_large_notebooks_that_are_open_take_no_more_memory_than_without_the_recorder(
    own_stack: Callable[..., Stack],
) -> None:
    usual, without = own_stack(JUPYTER_PASSWORD=PASSWORD), own_stack(JUPYTER_PASSWORD=PASSWORD)
    add_extension(without, "without_recorder", WITHOUT_RECORDER)
    taken = [megabytes_with_notebooks_open(stack, stack is usual) for stack in (usual, without)]
    print(f"{taken[0]} MB with the recorder, {taken[1]} MB without")
    assert taken[0] < 1.1 * taken[1]


def megabytes_with_notebooks_open(stack: Stack, asks_recorder: bool) -> int:
    """Of the server that the recorder is part of, as much as it has held at most."""
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        for number in range(NOTEBOOKS):
            path = stack.repositories / f"large-{number}.ipynb"
            write_notebook(path, "1")
            notebook = json.loads(path.read_text())
            notebook["cells"][0]["outputs"] = [{"output_type": "stream", "name": "stdout", "text": TEXT}]
            path.write_text(json.dumps(notebook))
            client.api("GET", f"contents/{path.name}?type=notebook&content=1&hash=1")
            options = {"path": path.name, "type": "notebook", "name": "", "kernel": {"name": "python3"}}
            kernel = Kernel(client, client.api("POST", "sessions", **options)["kernel"]["id"])
            if asks_recorder:
                known = hashlib.sha256(path.read_bytes()).hexdigest()
                assert client.api("GET", f"kernels/{kernel.id}/runs?hash={known}")["runs"] == []
        return look_at(stack, KERNELS).megabytes
