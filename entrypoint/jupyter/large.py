"""Large notebooks and files: a process of their own reads and writes them as JSON.

A thread would not do: Python's JSON encoder and decoder let no other thread run before they are through, so that a
notebook of 50 MB kept everybody else waiting for a second.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

from nbformat.sign import NotebookNotary
from tornado.web import HTTPError

# Of this, a thread makes others wait for 0.07 s; a process takes longer to start.
BYTES_MIN = 4 * 1024 * 1024
CHILD = (sys.executable, "-I", "-m", "entrypoint.jupyter.large_file")


@dataclass(frozen=True)
class Answer:
    """What Jupyter would answer: the model as JSON, and what of it goes into headers."""

    status: int
    path: str
    last_modified: datetime
    text: bytes


async def by_a_child(manager: Any, work: str, path: str, body: bytes = b"", **asked: Any) -> Answer | None:
    """What Jupyter answers about a large file; None where it is not large, or where hooks of this process want it.

    Args:
        manager: The server's `Files`.
        work: `get` or `put`.
        path: As in Jupyter's addresses.
        body: Of a `put`.
        asked: What else Jupyter's `get` is asked with.

    Raises:
        HTTPError: As Jupyter would raise it.
    """
    path = path.strip("/")
    file = os.path.join(manager.root_dir, path)
    if has_hooks(manager) or (work == "get" and not await manager.errands.run(partial(is_large, file), [file])):
        return None
    task = {"work": work, "path": path, "asked": asked, "root": manager.root_dir, "config": config_of_files(manager)}
    order = json.dumps(task, default=str).encode() + b"\n"
    head, text = await manager.errands.run(partial(heard_of_a_child, path, order + body), [file], writes=work == "put")
    manager.emit({"action": "save" if work == "put" else "get", "path": path})
    return Answer(head["status"], head["path"], datetime.fromisoformat(head["last_modified"]), text)


def heard_of_a_child(path: str, said: bytes) -> tuple[dict[str, Any], bytes]:
    """The head and the body of its answer. In a thread: this waits."""
    with subprocess.Popen(CHILD, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        answer, _ = child.communicate(said)
    if child.returncode:
        why = f"{path} is large, and the process that looked after it came to a bad end ({child.returncode})"
        raise HTTPError(500, why)
    line, _, text = answer.partition(b"\n")
    head = json.loads(line)
    if "refusal" in head:
        raise HTTPError(head["status"], head["refusal"], reason=head["reason"])
    return head, text


def is_large(file: str) -> bool:
    try:
        return os.stat(file).st_size >= BYTES_MIN
    except (OSError, ValueError):
        return False


def has_hooks(manager: Any) -> bool:
    """Whether somebody has to be asked or told in this process before or after a save."""
    return bool(manager.pre_save_hook or manager.post_save_hook or manager._pre_save_hooks or manager._post_save_hooks)


def config_of_files(manager: Any) -> dict[str, Any]:
    """A person's own settings, and ours, of what looks after files."""
    kinds = (type(manager), manager.checkpoints_class, NotebookNotary)
    classes = {each.__name__ for kind in kinds for each in kind.mro()}
    return {name: dict(values) for name, values in manager.config.items() if name in classes}
