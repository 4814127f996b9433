"""Asks things as another user, in a child that becomes that user as the start does."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from entrypoint.system.privileges import become


def as_user(uid: int, gid: int, question: Callable[[], Any]) -> Any:
    """What a function returns, as far as JSON can hold it; fails with the function's own error's text."""
    reading, writing = os.pipe()
    if not (child := os.fork()):
        try:
            if uid:
                become(uid, gid)
            answer = {"answer": question()}
        except BaseException as error:
            answer = {"error": repr(error)}
        os.write(writing, json.dumps(answer).encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as file:
        found = json.load(file)
    os.waitpid(child, 0)
    assert "error" not in found, found["error"]
    return found["answer"]
