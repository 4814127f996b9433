"""Killed doors, labs, kernels and containers, in mid-save too: they come back, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import requests
import websocket

from tests.clients import Client, Kernel, unless_away
from tests.stacks import DOOR, KERNELS, LAB, Stack, poll

KEPT = "tls/authority.pem tls/server.pem password-hash cookie-secret"


def kept_state(stack: Stack) -> str:
    return stack.door_shell(f"cd /var/lib/workhorse; sha256sum {KEPT}")


def started_at(stack: Stack, service: str = DOOR) -> str:
    return str(stack.container_of(service).attrs["State"]["StartedAt"])


def wait_for(client: Client) -> None:
    """Until the server answers a device as one that is logged in."""
    poll(unless_away(lambda: client.is_logged_in() or None), wanted="a server that knows the login")


def texts_until_restarted(kernel: Kernel, seconds: float = 60) -> str:
    """What a kernel shows until it has been restarted and answers again; what is asked in between may be lost."""
    texts, asked, is_restarted, deadline = list[str](), set[str](), False, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            message = kernel.receive(1)
        except websocket.WebSocketTimeoutException:
            asked |= {kernel.send("pass")} if is_restarted else set()
            continue
        state = message["content"].get("execution_state")
        texts += [message["content"]["text"]] if message["msg_type"] == "stream" else []
        is_restarted = is_restarted or state == "restarting"
        if message["parent_header"].get("msg_id") in asked and state == "idle":
            return "".join(texts)
    raise TimeoutError(f"waited {seconds} s for a kernel that answers after its restart")


@pytest.mark.parametrize("how", ["its server", "its container"])
def test_a_killed_door_comes_back_with_its_state_and_the_login_and_costs_no_kernel(
    stack: Stack, client: Client, how: str
) -> None:
    before, door, kernels = kept_state(stack), started_at(stack), started_at(stack, KERNELS)
    kernel = client.start_kernel()
    assert kernel.run("x = 'kept'") == ""
    if how == "its server":
        # The shell may end with the container.
        stack.door_shell("kill -9 $(pgrep -P 1 -f entrypoint.door.server)", user="1000", check=False)
        poll(lambda: started_at(stack) != door or None, wanted="a restart of the container")
    else:
        stack.container.kill()
        stack.up()
    wait_for(client)
    assert kept_state(stack) == before
    assert (started_at(stack) != door, started_at(stack, KERNELS)) == (True, kernels)
    again = Kernel(client, kernel.id)
    assert again.run("print(x)") == "kept\n"
    again.shut_down()


@pytest.mark.parametrize("how", ["its server", "its container"])
def test_killed_kernels_come_back_and_cost_themselves_alone(stack: Stack, client: Client, how: str) -> None:
    before, door, lab = kept_state(stack), started_at(stack), started_at(stack, LAB)
    kernels = started_at(stack, KERNELS)
    client.start_kernel()
    stack.shell("echo kept >~/kept")
    if how == "its server":
        stack.shell("kill -9 $(pgrep -P 1 -f entrypoint.kernels)", check=False)
        poll(lambda: started_at(stack, KERNELS) != kernels or None, wanted="a restart of the container")
    else:
        stack.kernels.kill()
        stack.up()
    # Whoever asks meanwhile waits until there is an answer.
    assert client.is_logged_in()
    assert client.api("GET", "kernels") == []
    assert client.run("print(6 * 7)") == "42\n"
    assert stack.shell("cat ~/kept") == "kept\n"
    assert (started_at(stack), started_at(stack, LAB), started_at(stack, KERNELS) != kernels) == (door, lab, True)
    assert kept_state(stack) == before


def test_a_killed_kernel_restarts_and_leaves_the_others_alone(client: Client) -> None:
    killed, other = client.start_kernel(), client.start_kernel()
    other.run("x = 'kept'")
    pid = killed.run("import os; y = 1; print(os.getpid())").strip()
    other.run(f"import os; os.kill({pid}, 9)")
    texts_until_restarted(killed)
    assert "NameError" in killed.run("y")
    assert other.run("print(x)") == "kept\n"
    killed.shut_down()
    other.shut_down()


MEGABYTE = 2**20
NOTEBOOK_MEGABYTES = 50


def notebook(letter: str) -> dict[str, object]:
    outputs = [{"output_type": "stream", "name": "stdout", "text": letter * MEGABYTE}] * NOTEBOOK_MEGABYTES
    cell = {"cell_type": "code", "id": "big", "metadata": {}, "source": "", "execution_count": 1, "outputs": outputs}
    return {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}


def letters(file: Path) -> set[str]:
    """The letters that a notebook's outputs consist of; fails if it is not whole."""
    texts = ["".join(output["text"]) for output in json.loads(file.read_text())["cells"][0]["outputs"]]
    assert [len(text) for text in texts] == [MEGABYTE] * NOTEBOOK_MEGABYTES
    return {letter for text in texts for letter in {text[0], text[-1]}}


# Runs in the lab, so that the signal comes at that very moment: when so many bytes of the new text are written.
KILLER = """
import os, pathlib, sys
folder, size, server = pathlib.Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
def is_written(path):
    if path.is_dir(): return False
    with open(path, "rb") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - 1000))
        return end >= size and b"bbb" in file.read()
print("watching", flush=True)
while True:
    try:
        if any(map(is_written, folder.iterdir())): break
    except FileNotFoundError:
        continue
os.kill(server, 9)
"""


@contextmanager
def killer(stack: Stack, folder: str, size: int) -> Iterator[None]:
    """Kills JupyterLab when so many bytes of the new text stand in any file of a folder."""
    server = stack.lab_shell("pgrep -P 1 -f entrypoint.lab.server").strip()
    python = ["exec", "-T", "-u", "1000", LAB, "/opt/server/bin/python", "-c", KILLER]
    command = [*stack.compose_command, *python, f"/repositories/{folder}", str(size), server]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "watching\n"
        yield
        process.wait(60)


@pytest.mark.parametrize("megabytes_written", [0, 25, NOTEBOOK_MEGABYTES])
def test_a_kill_in_mid_save_leaves_the_old_notebook_or_the_new_one(
    stack: Stack, client: Client, megabytes_written: int
) -> None:
    path, started, door = f"killed-{megabytes_written}/big.ipynb", started_at(stack, LAB), started_at(stack)
    file = stack.repositories / path
    file.parent.mkdir()
    file.parent.chmod(0o777)
    client.api("PUT", f"contents/{path}", type="notebook", content=notebook("a"))
    assert letters(file) == {"a"}
    # The last of the file and its new name may come before the signal does: then the save is answered.
    with killer(stack, file.parent.name, megabytes_written * MEGABYTE), suppress(requests.RequestException):
        client.api("PUT", f"contents/{path}", type="notebook", content=notebook("b"))
    assert letters(file) in ({"a"}, {"b"})
    poll(lambda: started_at(stack, LAB) != started or None, wanted="a restart of the container")
    wait_for(client)
    assert started_at(stack) == door
    assert client.api("GET", f"contents/{path}?content=0")["size"] == file.stat().st_size
    client.api("PUT", f"contents/{path}", type="notebook", content=notebook("c"))
    assert letters(file) == {"c"}
