"""People's files beside the event loop: nothing is opened in it, and the answers are Jupyter's."""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.services.contents.manager import ContentsManager
from tornado.web import HTTPError

from entrypoint.jupyter.files import READING, WRITING, Files

TOUCHED = ("open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.utime", "os.chmod")
seen: list[str] = []
watched: list[tuple[int, str]] = []


def look(event: str, arguments: tuple[Any, ...]) -> None:
    if event in TOUCHED and any(threading.get_ident() == thread for thread, _ in watched):
        seen.extend(f"{event} {each}" for each in arguments if any(str(each).startswith(root) for _, root in watched))


# For good: an audit hook can't be taken away again.
sys.addaudithook(look)


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Files:
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "data").mkdir()
    return Files(root_dir=str(root))


def test_no_way_to_a_file_goes_through_the_event_loop(manager: Files) -> None:
    async def work() -> None:
        new: dict[str, Any] = {"type": "notebook", "content": {"cells": [], "metadata": {}, "nbformat": 4}}
        new["content"]["nbformat_minor"] = 5
        assert (await manager.save(new, "a.ipynb"))["type"] == "notebook"
        assert (await manager.get("a.ipynb"))["content"]["cells"] == []
        assert (await manager.new_untitled("", type="directory"))["path"] == "Untitled Folder"
        assert (await manager.copy("a.ipynb", "Untitled Folder"))["name"] == "a.ipynb"
        assert (await manager.copy("Untitled Folder", ""))["type"] == "directory"
        await manager.update({"path": "b.ipynb"}, "a.ipynb")
        checkpoint = await manager.create_checkpoint("b.ipynb")
        await manager.restore_checkpoint(checkpoint["id"], "b.ipynb")
        await manager.trust_notebook("b.ipynb")
        assert len(await manager.list_checkpoints("b.ipynb")) == 1
        for chunk in (1, 2, -1):
            await manager.save({"type": "file", "format": "text", "content": "x", "chunk": chunk}, "c.txt")
        assert (await manager.get("c.txt", require_hash=True))["content"] == "xxx"
        assert len((await manager.get(""))["content"]) == 4
        for path in ("b.ipynb", "c.txt"):
            await manager.delete(path)
        assert not await manager.exists("c.txt")
        assert await manager.get_kernel_path("Untitled Folder/a.ipynb") == "Untitled Folder"

    watched.append((threading.get_ident(), manager.root_dir))
    try:
        asyncio.run(work())
    finally:
        watched.clear()
    assert seen == []


def test_every_method_of_jupyter_s_that_asks_the_disk_has_its_place() -> None:
    public = {name for name, _ in inspect.getmembers(ContentsManager, inspect.isfunction) if not name.startswith("_")}
    inherited = {name for name in public if name in vars(ContentsManager)} - {*READING, *WRITING}
    # These look at nothing, or are called by those that are beside already.
    assert inherited == {
        "check_and_sign", "emit", "get_extra_handlers", "info_string", "log_info", "mark_trusted_cells",
        "register_post_save_hook", "register_pre_save_hook", "run_post_save_hook", "run_post_save_hooks",
        "run_pre_save_hook", "run_pre_save_hooks", "should_list", "validate_notebook_model",
    }  # fmt: skip


def test_where_no_event_loop_runs_the_answer_is_there_at_once(manager: Files) -> None:
    assert manager.save({"type": "file", "format": "text", "content": "x"}, "a.txt")["size"] == 1
    assert manager.file_exists("a.txt") is True


@pytest.mark.parametrize("make", [os.mkfifo, lambda path: os.symlink("/dev/zero", path), os.mkdir])
def test_what_is_no_file_is_refused(manager: Files, make: Callable[[str], object]) -> None:
    make(os.path.join(manager.root_dir, "odd.txt"))
    model = {"type": "file", "format": "text", "content": "x"}
    ways: list[Callable[[], Awaitable[Any]]] = [
        lambda: manager.save(dict(model), "odd.txt"),
        lambda: manager.save(model | {"chunk": 1}, "odd.txt"),
        lambda: manager.save(model | {"chunk": -1}, "odd.txt"),
        lambda: manager.get("odd.txt", type="file"),
        lambda: manager.create_checkpoint("odd.txt"),
    ]

    async def refusal(way: Callable[[], Awaitable[Any]]) -> int:
        with pytest.raises(HTTPError) as refused:
            await way()
        return int(refused.value.status_code)

    assert {asyncio.run(refusal(way)) for way in ways} == {400}


@pytest.mark.parametrize("path", ["../x", "a/../../x", "a\0b", "\ud800"])
def test_no_path_leads_out(manager: Files, path: str) -> None:
    with pytest.raises(HTTPError) as refused:
        manager._get_os_path(path)
    assert refused.value.status_code == 404
