"""The lab's image without a door, as `docker run` and JupyterHub use an image for a single user."""

from __future__ import annotations

import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
import websocket

from tests.clients import Client
from tests.stacks import LAB_IMAGE, free_port, poll

TOKEN = re.compile(r"/lab\?token=([0-9a-f]{32,})")
# Whoever starts it gives as little as JupyterHub does, or as much as Docker's own bounds allow.
USERS = {"root": [], "the first person": ["--user", "1000:1000"], "anybody": ["--user", "54321:0"]}
BOUNDS = {
    "as Docker comes": [],
    "bounded": ["--read-only", "--tmpfs=/run/workhorse:mode=1777", "--tmpfs=/tmp", "--security-opt=no-new-privileges"],
}


def docker(*arguments: str) -> str:
    result = subprocess.run(["docker", *arguments], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
@pytest.mark.parametrize(("user", "uid"), [([], "1000"), (["--user", "54321:0"], "54321")], ids=["root", "anybody"])
def test_a_command_runs_as_the_person_in_the_person_s_world(
    tmp_path: Path, bounds: list[str], user: list[str], uid: str
) -> None:
    script = "id -u; echo $USER $HOME; cd; touch mine /repositories/mine; python -c 'import numpy; print(6 * 7)'"
    tmp_path.chmod(0o777)
    folders = ["--tmpfs=/home/workhorse:mode=1777,exec", "-v", f"{tmp_path}:/repositories"]
    told = docker("run", "--rm", *bounds, *user, *folders, LAB_IMAGE, "bash", "-euc", script)
    # Before it stands whose the folder is now.
    assert told.splitlines()[-3:] == [uid, "workhorse /home/workhorse", "42"]


@contextmanager
def lab_alone(*options: str) -> Iterator[tuple[str, str]]:
    """A container with no command; yields its name and its address."""
    name, port = f"workhorse-test-{secrets.token_hex(4)}", free_port()
    docker("run", "-d", "--name", name, "-p", f"127.0.0.1:{port}:8888", *options, LAB_IMAGE)
    try:
        yield name, f"http://localhost:{port}"
    finally:
        docker("rm", "-f", "-v", name)


def log_of(name: str) -> str:
    logs = ["docker", "logs", name]
    return subprocess.run(logs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout


def token_told_by(name: str, url: str) -> str:
    poll(lambda: answers(url) or None, wanted="a JupyterLab")
    return poll(lambda: TOKEN.search(log_of(name)), wanted="the address with its token")[1]


def answers(url: str) -> bool:
    try:
        return requests.get(f"{url}/api", timeout=30).ok
    except requests.RequestException:
        return False


@contextmanager
def logged_in(url: str, token: str) -> Iterator[Client]:
    """As a browser is that has opened the address in the log."""
    with Client(url, Path("/dev/null")) as client:
        client.session.get(f"{url}/lab", params={"token": token}, timeout=30).raise_for_status()
        yield client


@pytest.mark.parametrize("user", USERS.values(), ids=USERS)
def test_with_no_command_jupyterlab_answers_with_its_token_and_a_kernel_runs(user: list[str]) -> None:
    with lab_alone(*user) as (name, url), logged_in(url, token_told_by(name, url)) as client:
        assert client.run("print(6 * 7)") == "42\n"
        assert client.run("import os; print(os.getuid())") == f"{user[1].split(':')[0] if user else 1000}\n"
        assert client.api("GET", "contents")["type"] == "directory"
        assert client.session.get(f"{url}/lab", timeout=30).status_code == 200


def test_nobody_comes_in_without_the_token() -> None:
    with lab_alone() as (name, url):
        token = token_told_by(name, url)
        for query in ("", "?token=", "?token=" + "0" * len(token)):
            assert requests.get(f"{url}/api/contents{query}", timeout=30).status_code == 403
        handshake = f"ws{url.removeprefix('http')}/api/events/subscribe"
        with pytest.raises(websocket.WebSocketBadStatusException):
            websocket.create_connection(handshake, timeout=30)
        for path in ("report", "news", "backup"):
            answer = requests.get(f"{url}/workhorse/{path}", timeout=30, allow_redirects=False)
            # Jupyter's own login.
            assert answer.status_code in (403, 404) or answer.headers["Location"].startswith("/login?")


def test_it_ends_when_it_is_told_to() -> None:
    with lab_alone() as (name, url):
        token_told_by(name, url)
        docker("stop", "-t", "10", name)
        assert docker("inspect", "-f", "{{.State.ExitCode}}", name).strip() == "0"
