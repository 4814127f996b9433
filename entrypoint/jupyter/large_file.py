"""The process that looks after one large file, as Jupyter would: the task and the file's new content on its standard
input, the answer on its standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, BinaryIO

from jupyter_client.jsonutil import json_default
from tornado.web import HTTPError
from traitlets.config import Config

from entrypoint.jupyter.files import Files


@dataclass(frozen=True)
class Task:
    """What is to be done.

    Args:
        work: The name of a function in WORKS.
        path: As in Jupyter's addresses.
        asked: What else Jupyter's `get` is asked with.
        root: The folder that the server shows.
        config: Of those classes of Jupyter's that look after files.
    """

    work: str
    path: str
    asked: dict[str, Any]
    root: str
    config: dict[str, Any]


def main(order: BinaryIO, answer: BinaryIO) -> None:
    task = Task(**json.loads(order.readline()))
    manager = Files(root_dir=task.root, config=Config(task.config))
    try:
        status, model = WORKS[task.work](manager, task, order)
    except HTTPError as error:
        refusal = {"status": error.status_code, "refusal": error.log_message or "", "reason": error.reason}
        answer.write(json.dumps(refusal).encode())
        return
    head = {"status": status, "path": model["path"], "last_modified": model["last_modified"].isoformat()}
    answer.write(json.dumps(head).encode() + b"\n")
    answer.write(json.dumps(model, default=json_default).encode())


def get(manager: Any, task: Task, _: BinaryIO) -> tuple[int, dict[str, Any]]:
    return 200, manager.get(task.path, **task.asked)


def put(manager: Any, task: Task, order: BinaryIO) -> tuple[int, dict[str, Any]]:
    """As jupyter-server's own handler does it (services/contents/handlers.py)."""
    try:
        model = json.loads(order.read())
    except ValueError as error:
        raise HTTPError(400, "Invalid JSON in body of request") from error
    if model.get("copy_from"):
        raise HTTPError(400, "Cannot copy with PUT, only POST")
    named = [each for each in (model.get("path"), task.path) if each]
    if not manager.allow_hidden and any(map(manager.is_hidden, named)):
        raise HTTPError(400, f"Cannot create file or directory {task.path!r}")
    if model.get("type", "") not in {None, "", "directory", "file", "notebook"}:
        model["type"] = "file"
    if manager.file_exists(task.path):
        return 200, manager.save(model, task.path)
    return 201, manager.new(model, task.path)


WORKS: dict[str, Callable[[Any, Task, BinaryIO], tuple[int, dict[str, Any]]]] = {"get": get, "put": put}


if __name__ == "__main__":
    with os.fdopen(os.dup(1), "wb") as real_stdout:
        # Whatever a library prints is no part of the answer.
        os.dup2(2, 1)
        main(sys.stdin.buffer, real_stdout)
