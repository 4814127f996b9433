"""Large notebooks and long listings, at the running lab."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.clients import Client
from tests.stack.test_walls import SERVERS
from tests.stacks import LAB, Stack

MEGABYTES = 20
SECONDS = 120
TICKS_A_SECOND = 100
FILES = 2_000


@pytest.fixture(scope="module")
def notebook() -> dict[str, Any]:
    output = {"output_type": "stream", "name": "stdout", "text": "0.12345 " * 128 + "\n"}
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "execution_count": 1}
    cell["outputs"] = [output] * (MEGABYTES * 1024)
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


def seconds_of_ended_children(stack: Stack) -> float:
    """What processes that the server has started have taken of the processor (proc_pid_stat(5), cutime)."""
    return int(stack.lab_shell(f"cut -d ' ' -f 16 /proc/$(pgrep -P 1 -f {SERVERS[LAB]})/stat")) / TICKS_A_SECOND


def test_a_large_notebook_is_saved_and_opened_by_a_process_of_its_own(
    stack: Stack, client: Client, notebook: dict[str, Any]
) -> None:
    before = seconds_of_ended_children(stack)
    headers = {"X-XSRFToken": client.session.cookies.get("_xsrf", "")}
    address, model = f"{client.url}/api/contents/large.ipynb", {"type": "notebook", "content": notebook}
    saved = client.session.put(address, json=model, headers=headers, timeout=SECONDS)
    assert (saved.status_code, saved.headers["Location"]) == (201, "/api/contents/large.ipynb")
    assert saved.json()["content"] is None
    after_save = seconds_of_ended_children(stack)
    assert after_save > before
    opened = client.session.get(address, params={"type": "notebook", "content": "1", "hash": "1"}, timeout=SECONDS)
    assert seconds_of_ended_children(stack) > after_save
    outputs = opened.json()["content"]["cells"][0]["outputs"]
    assert len(outputs) == MEGABYTES * 1024
    assert opened.json()["hash"]
    # What lies on the disk is the person's.
    file = stack.repositories / "large.ipynb"
    assert (file.stat().st_uid, file.stat().st_gid) == (1000, 1000)
    assert len(json.loads(file.read_text())["cells"][0]["outputs"]) == MEGABYTES * 1024


def test_an_unchanged_folder_is_listed_once(stack: Stack, client: Client) -> None:
    folder = stack.repositories / "many"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.txt").touch()
    address = f"{client.url}/api/contents/many?content=1"
    first = client.session.get(address, timeout=SECONDS)
    assert len(first.json()["content"]) == FILES
    known = {"If-None-Match": first.headers["Etag"]}
    again = client.session.get(address, headers=known, timeout=SECONDS)
    assert (again.status_code, again.content) == (304, b"")
    (folder / "one.txt").touch()
    changed = client.session.get(address, headers=known, timeout=SECONDS)
    assert len(changed.json()["content"]) == FILES + 1
