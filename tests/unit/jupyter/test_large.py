"""Large files, which a process of its own reads and writes: the answers are Jupyter's, and so are the refusals."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_client.jsonutil import json_default
from tornado.web import HTTPError

from entrypoint.jupyter import large
from entrypoint.jupyter.files import Files
from entrypoint.jupyter.large import BYTES_MIN, Answer
from tests.stacks import REPOSITORY

BULK = "x" * 2 * BYTES_MIN
OUTPUT = {"output_type": "stream", "name": "stdout", "text": BULK}
CELL = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "outputs": [OUTPUT], "execution_count": 1}
NOTEBOOK = {"cells": [CELL], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
# A server's own Python doesn't look into this folder.
CHILD = ("/usr/bin/env", f"PYTHONPATH={REPOSITORY}", sys.executable, "-m", "entrypoint.jupyter.large_file")
Make = Callable[..., Files]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setattr(large, "CHILD", CHILD)
    (tmp_path / "data").mkdir()
    (tmp_path / "root").mkdir()
    return lambda **options: Files(root_dir=str(tmp_path / "root"), **options)


def ask(manager: Files, work: str, path: str, body: bytes = b"", **asked: Any) -> Answer | None:
    return asyncio.run(large.by_a_child(manager, work, path, body, **asked))


def saved(manager: Files, path: str, **model: Any) -> Answer:
    answer = ask(manager, "put", path, json.dumps(model).encode())
    assert answer
    return answer


def as_json(model: dict[str, Any]) -> Any:
    return json.loads(json.dumps(model, default=json_default))


def test_a_large_notebook_is_saved_and_opened_as_jupyter_does_it(make: Make) -> None:
    manager = make()
    first = saved(manager, "a.ipynb", type="notebook", content=NOTEBOOK)
    again = saved(manager, "/a.ipynb", type="notebook", content=NOTEBOOK)
    assert (first.status, again.status, again.path) == (201, 200, "a.ipynb")
    assert json.loads(again.text) == as_json(manager.get("a.ipynb", content=False))
    opened = ask(manager, "get", "a.ipynb", type="notebook", require_hash=True)
    assert opened
    model = manager.get("a.ipynb", require_hash=True)
    assert json.loads(opened.text) == as_json(model)
    assert opened.last_modified == model["last_modified"]
    # Signed by the one process, and known to the other.
    assert model["content"]["cells"][0]["metadata"]["trusted"] is True
    assert [each["id"] for each in manager.list_checkpoints("a.ipynb")] == ["checkpoint"]


@pytest.mark.parametrize("form", ["text", "base64"])
def test_a_large_file_comes_as_it_was_saved(make: Make, form: str) -> None:
    manager = make()
    saved(manager, "a.txt", type="file", format=form, content=BULK)
    opened = ask(manager, "get", "a.txt", type="file", format=form)
    assert opened
    # Without the line ends that base64 has.
    assert json.loads(opened.text)["content"].replace("\n", "") == BULK


@pytest.mark.parametrize(
    ("path", "model", "status"),
    [
        (".hidden/a.ipynb", {"type": "notebook", "content": NOTEBOOK}, 400),
        ("a.ipynb", {"copy_from": "b.ipynb"}, 400),
        ("../a.txt", {"type": "file", "format": "text", "content": "x"}, 404),
        ("gone/a.txt", {"type": "file", "format": "text", "content": "x"}, 500),
        ("pipe", {"type": "file", "format": "text", "content": "x"}, 400),
    ],
)
def test_what_jupyter_refuses_is_refused(make: Make, path: str, model: dict[str, Any], status: int) -> None:
    manager = make()
    os.mkfifo(Path(manager.root_dir) / "pipe")
    with pytest.raises(HTTPError) as refused:
        saved(manager, path, **model)
    assert refused.value.status_code == status
    assert refused.value.log_message


def test_what_is_no_json_is_refused(make: Make) -> None:
    with pytest.raises(HTTPError) as refused:
        ask(make(), "put", "a.txt", b"{" * BYTES_MIN)
    assert refused.value.status_code == 400


def test_settings_of_a_person_s_count_for_large_files(make: Make) -> None:
    config = {"FileContentsManager": {"use_atomic_writing": False}, "ContentsManager": {"allow_hidden": True}}
    manager = make(config=large_config(config))
    answer = saved(manager, ".hidden.txt", type="file", format="text", content="x")
    assert answer.status == 201


def large_config(values: dict[str, Any]) -> Any:
    from traitlets.config import Config

    return Config(values)


def test_what_is_small_or_has_hooks_stays_with_this_process(make: Make) -> None:
    (Path(make().root_dir) / "small.txt").touch()
    assert ask(make(), "get", "small.txt") is None
    assert ask(make(), "get", "gone.txt") is None
    (Path(make().root_dir) / "large.txt").write_text(BULK)
    hooked = make()
    hooked.register_pre_save_hook(lambda **_: None)
    assert ask(hooked, "get", "large.txt") is None


def test_a_process_that_comes_to_a_bad_end_is_told(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "CHILD", ("/bin/false",))
    with pytest.raises(HTTPError, match="came to a bad end"):
        saved(make(), "a.txt", type="file", format="text", content=BULK)
