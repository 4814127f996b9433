"""The door as a process of its own: what it loads, what it says, and how soon it is gone."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from entrypoint.door.healthcheck import reason_unhealthy
from entrypoint.files.places import Places
from tests.clients import Client
from tests.doors import PASSWORD, prepare
from tests.stacks import poll

RUN = """
import sys
from pathlib import Path
from entrypoint.door.server import main
from entrypoint.files.places import Places
places = Places(Path(sys.argv[1]))
main(places.config, places, int(sys.argv[2]))
"""
OF_JUPYTER = (
    "import entrypoint.door.server, sys; print([n for n in sys.modules if n.startswith(('jupyter', 'traitlets'))])"
)
LINE = re.compile(
    r"\[W 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} Workhorse\] Login from 127\.0\.0\.1 \(python-requests\)\."
)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def running_door(root: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    places, port = Places(root), free_port()
    prepare(places)
    command = [sys.executable, "-c", RUN, str(root), str(port)]
    with (
        subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process,
        Client(f"https://localhost:{port}", places.tls.authority) as client,
    ):
        try:
            poll(lambda: reason_unhealthy(str(places.tls.authority), port) is None or None, 20, "the door")
            yield process, client
        finally:
            process.kill()


def test_nothing_of_jupyter_is_loaded() -> None:
    loaded = subprocess.run([sys.executable, "-c", OF_JUPYTER], capture_output=True, text=True, check=True)
    assert loaded.stdout == "[]\n"


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT])
def test_a_door_that_is_told_to_stop_is_gone_soon_and_without_a_word(tmp_path: Path, told: signal.Signals) -> None:
    with running_door(tmp_path) as (process, client):
        assert client.login(PASSWORD).status_code == 302
        began = time.monotonic()
        process.send_signal(told)
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - began < 2
        assert process.returncode == 0
    assert LINE.fullmatch(said.strip())


def test_guesses_that_wait_hold_up_no_stop(tmp_path: Path) -> None:
    with running_door(tmp_path) as (process, client):
        guessers = [Client(client.url, client.authority) for _ in range(10)]
        threads = [threading.Thread(target=guess, args=(each,)) for each in guessers]
        for thread in threads:
            thread.start()
        assert process.stderr
        assert "A wrong password" in process.stderr.readline()
        began = time.monotonic()
        process.terminate()
        _, said = process.communicate(timeout=20)
        assert time.monotonic() - began < 3
        for thread in threads:
            thread.join(10)
    assert "Traceback" not in said


def guess(client: Client) -> None:
    with client:
        try:
            client.login("wrong horse battery")
        except OSError:
            return


def test_a_door_whose_configuration_is_gone_says_what_to_do(tmp_path: Path) -> None:
    prepare(Places(tmp_path))
    Places(tmp_path).config.unlink()
    result = subprocess.run(
        [sys.executable, "-c", RUN, str(tmp_path), "0"], capture_output=True, text=True, check=False
    )
    assert result.returncode == 1
    assert "docker compose restart workhorse" in result.stderr
    assert "Traceback" not in result.stderr
