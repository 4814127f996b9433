"""Faults of processes, disks and folders: the server lives on or comes back, says what is wrong, and loses nothing."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

MakeStack = Callable[..., Stack]
KEPT = "tls/authority.pem tls/server.pem password-hash cookie-secret"


def kept_state(stack: Stack) -> str:
    return stack.shell(f"cd /var/lib/workhorse; sha256sum {KEPT}")


def started_at(stack: Stack) -> str:
    return str(stack.container.attrs["State"]["StartedAt"])


def wait_for(client: Client) -> None:
    """Until the server answers a device as one that is logged in."""

    def answer() -> bool | None:
        try:
            return client.is_logged_in() or None
        except requests.RequestException:
            return None

    poll(answer, wanted="a server that knows the login")


def save(client: Client, path: str, content: str) -> requests.Response:
    body = {"type": "file", "format": "text", "content": content}
    headers = {"X-XSRFToken": client.session.cookies["_xsrf"]}
    return client.session.put(f"{client.url}/api/contents/{path}", json=body, headers=headers, timeout=60)


def wait_for_restart(kernel: Kernel) -> None:
    """Until the browser is told that the kernel was restarted, and by the new one that it has started."""
    for state in ("restarting", "starting"):
        while json.loads(kernel.socket.recv())["content"].get("execution_state") != state:
            pass


def test_a_killed_server_restarts_with_its_state_and_the_login(stack: Stack, client: Client) -> None:
    before, started = kept_state(stack), started_at(stack)
    stack.shell("kill -9 $(pgrep -P 1 -f entrypoint.server)")
    poll(lambda: started_at(stack) != started or None, wanted="a restart of the container")
    wait_for(client)
    assert kept_state(stack) == before
    assert client.run("print(6 * 7)") == "42\n"


def test_a_killed_kernel_restarts_and_leaves_the_others_alone(client: Client) -> None:
    killed, other = client.start_kernel(), client.start_kernel()
    other.run("x = 'kept'")
    pid = killed.run("import os; y = 1; print(os.getpid())").strip()
    other.run(f"import os; os.kill({pid}, 9)")
    wait_for_restart(killed)
    assert "NameError" in killed.run("y")
    assert other.run("print(x)") == "kept\n"
    killed.shut_down()
    other.shut_down()


def test_a_killed_container_comes_up_with_its_state_and_the_login(stack: Stack, client: Client) -> None:
    before = kept_state(stack)
    stack.container.kill()
    stack.up()
    wait_for(client)
    assert kept_state(stack) == before


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


# Runs in the container, so that the signal comes at that very moment: when so many bytes of the new text are written.
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
    """Kills the server when so many bytes of the new text stand in any file of a folder."""
    server = stack.shell("pgrep -P 1 -f entrypoint.server").strip()
    python = ["exec", "-T", "-u", "1000", "workhorse", "/opt/server/bin/python", "-c", KILLER]
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
    path, started = f"killed-{megabytes_written}/big.ipynb", started_at(stack)
    file = stack.repositories / path
    file.parent.mkdir()
    file.parent.chmod(0o777)
    client.api("PUT", f"contents/{path}", type="notebook", content=notebook("a"))
    assert letters(file) == {"a"}
    with killer(stack, file.parent.name, megabytes_written * MEGABYTE), pytest.raises(requests.RequestException):
        client.api("PUT", f"contents/{path}", type="notebook", content=notebook("b"))
    assert letters(file) in ({"a"}, {"b"})
    poll(lambda: started_at(stack) != started or None, wanted="a restart of the container")
    wait_for(client)
    assert client.api("GET", f"contents/{path}?content=0")["size"] == file.stat().st_size
    client.api("PUT", f"contents/{path}", type="notebook", content=notebook("c"))
    assert letters(file) == {"c"}


def small(stack: Stack, target: str, size: str) -> None:
    """Puts one of the stack's folders on a small disk in memory, which Docker mounts and unmounts."""
    options = f'{{type: tmpfs, device: tmpfs, o: "size={size},uid=1000,mode=755"}}'
    (stack.folder / "docker-compose.override.yml").write_text(
        f"services: {{workhorse: {{volumes: [{{type: volume, source: small, target: {target}}}]}}}}\n"
        f"volumes: {{small: {{driver: local, driver_opts: {options}}}}}\n"
    )


def test_a_full_disk_is_told_and_the_old_file_is_whole(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    small(stack, "/repositories", "20m")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        assert save(client, "notes.txt", "a" * 9 * MEGABYTE).status_code == 201
        for path in ("notes.txt", "new.txt"):
            refused = save(client, path, "b" * 15 * MEGABYTE)
            assert refused.status_code == 500
            assert "No space left on device" in refused.json()["message"]
        assert stack.shell("cd /repositories; ls -A; tr -d a <notes.txt | wc -c; wc -c <notes.txt").split() == [
            "notes.txt", "0", str(9 * MEGABYTE),
        ]  # fmt: skip
        assert save(client, "notes.txt", "c").status_code == 200


def test_a_certificate_that_finds_no_room_is_told_and_the_server_serves_on(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    small(stack, "/var/lib/workhorse", "1m")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        stack.shell("cd /var/lib/workhorse; rm tls/server.pem; head -c 2M /dev/zero >filler", check=False)
        poll(lambda: "No space left on device" in stack.log() or None, wanted="the reason in the log")
        client.session.close()
        assert client.is_logged_in()
        stack.shell("rm /var/lib/workhorse/filler")
        poll(lambda: stack.shell("ls /var/lib/workhorse/tls/server.pem", check=False) or None, wanted="a certificate")
        client.session.close()
        assert client.is_logged_in()


def remove_volume(stack: Stack, name: str) -> None:
    stack.compose("down")
    subprocess.run(["docker", "volume", "rm", f"{stack.project}_{name}"], check=True, capture_output=True)


def test_a_deleted_state_is_made_anew_and_told(own_stack: MakeStack) -> None:
    stack = own_stack()
    stack.up()
    old = stack.authority().read_bytes(), stack.generated_password()
    (stack.repositories / "work.txt").write_text("kept")
    stack.shell("touch ~/kept")
    remove_volume(stack, "state")
    stack.up()
    new = stack.authority().read_bytes(), stack.generated_password()
    assert old[0] != new[0] and old[1] != new[1]
    with Client(stack.url, stack.authority()) as client:
        assert client.login(old[1]).status_code == 401
        assert client.login(new[1]).status_code == 302
        assert client.api("GET", "contents/work.txt")["content"] == "kept"
    assert stack.workhorse("status")
    stack.shell("ls ~/kept")


def test_a_deleted_home_gets_its_virtual_environment_again(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    before = kept_state(stack)
    remove_volume(stack, "home")
    stack.up()
    assert kept_state(stack) == before
    assert stack.shell("command -v pip; pip --version >/dev/null").strip() == "/home/workhorse/venv/bin/pip"
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        assert client.run("import sys; print(sys.prefix)") == "/home/workhorse/venv\n"


def test_a_folder_that_was_moved_away_is_served_until_the_restart(stack: Stack, client: Client) -> None:
    moved = stack.folder / "moved"
    stack.repositories.rename(moved)
    stack.repositories.mkdir()
    stack.repositories.chmod(0o777)
    assert save(client, "moved.txt", "where am I").status_code == 201
    assert (moved / "moved.txt").read_text() == "where am I"
    stack.compose("restart")
    wait_for(client)
    assert [entry["name"] for entry in client.api("GET", "contents")["content"]] == []
    assert save(client, "new.txt", "here").status_code == 201
    assert (stack.repositories / "new.txt").read_text() == "here"


def test_a_folder_that_turned_read_only_is_told_and_writable_again(stack: Stack, client: Client) -> None:
    stack.repositories.chmod(0o555)
    refused = save(client, "refused.txt", "x")
    assert refused.status_code == 403
    assert refused.json()["message"] == "Permission denied: refused.txt"
    stack.repositories.chmod(0o777)
    assert save(client, "refused.txt", "x").status_code == 201


def unmount(stack: Stack, target: str) -> None:
    """Takes a folder from a running container, as the engine's host could."""
    inside = ["nsenter", "-t", str(stack.container.attrs["State"]["Pid"]), "-m", "-p", "umount", "-l", target]
    options = ["--privileged", "--pid", "host", "--entrypoint", inside[0]]
    subprocess.run(["docker", "run", "--rm", *options, "workhorse", *inside[1:]], check=True, capture_output=True)


def test_an_unmounted_folder_is_told_and_there_again_after_a_restart(stack: Stack, client: Client) -> None:
    assert save(client, "disk.txt", "x").status_code == 201
    unmount(stack, "/repositories")
    assert client.is_logged_in()
    refused = save(client, "disk.txt", "y")
    assert refused.status_code >= 400
    assert "Read-only file system" in refused.json()["message"]
    stack.compose("restart")
    wait_for(client)
    assert client.api("GET", "contents/disk.txt")["content"] == "x"
