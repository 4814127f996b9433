"""What a running lab tells the door, asked on its own socket as the door asks it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import pytest

from entrypoint.files.places import Places
from entrypoint.files.private import Owner
from entrypoint.home.folder import tell_folder
from entrypoint.kernels.command import elsewhere, help_lines, status
from entrypoint.kernels.report import kernels_left_out, told_kernels
from entrypoint.proxy.asking import ask_kernels
from entrypoint.report.kernels import ask_for_report
from entrypoint.system.folder import find_folder, reason_nothing_is_saved
from entrypoint.system.kernels_report import Kernel
from tests.stacks import REPOSITORY, poll

NOON = datetime(2026, 11, 28, 12, 30, tzinfo=UTC)
SERVER = """
import sys
from pathlib import Path
from jupyter_server.serverapp import ServerApp
from traitlets.config import Config
from entrypoint.files.places import Places
from entrypoint.jupyter.config import merge, server_config
from entrypoint.kernels.config import kernels_config
from entrypoint.kernels.notices import Notices, offer_notices
from entrypoint.kernels.report import answer_the_door
from entrypoint.kernels.runs import Runs, follow_runs

places = Places(Path(sys.argv[1]))
app = ServerApp.instance(config=Config(merge(server_config(places, places.kernels_socket), kernels_config())))
app.initialize(argv=[], find_extensions=False)
runs = Runs(Notices())
answer_the_door(app.web_app, places, runs)
offer_notices(app.web_app, runs.notices)
follow_runs(app.web_app, runs)
app.start()
"""


@pytest.fixture(scope="module")
def lab() -> Iterator[Places]:
    # The path of a Unix socket is short.
    with TemporaryDirectory() as folder:
        places = Places(Path(folder))
        for each in (places.home, places.repositories, places.server_run, places.kernels_socket.parent):
            each.mkdir(parents=True)
        tell_folder(places, "/data/notebooks")
        extension = places.home / "venv/etc/jupyter/jupyter_server_config.d/broken.json"
        extension.parent.mkdir(parents=True)
        extension.write_text('{"ServerApp": {"jpserver_extensions": {"half_of_it": true}}}')
        environ = {**os.environ, "HOME": str(places.home), "PYTHONPATH": str(REPOSITORY)}
        with (places.root / "log").open("wb") as log:
            command = [sys.executable, "-W", "ignore", "-c", SERVER, folder]
            server = subprocess.Popen(command, env=environ, cwd=places.home, stdout=log, stderr=log)
        try:
            poll(lambda: places.kernels_socket.exists() or None, wanted="a socket")
            yield places
        finally:
            server.kill()
            server.wait()


def test_the_door_is_told_how_it_stands(lab: Places) -> None:
    told = ask_for_report(lab)
    assert told.kernels == ()
    assert told.repositories == "/data/notebooks"
    assert told.folder
    assert (told.folder.user, told.folder.is_writable, told.folder.is_another) == (os.geteuid(), True, False)
    assert told.folder.mode == lab.repositories.stat().st_mode & 0o777
    (line,) = told.home
    assert line.startswith("half_of_it can't work from here")


def test_a_folder_that_changes_is_told_as_it_is_now(lab: Places) -> None:
    lab.repositories.chmod(0o777)
    folder = ask_for_report(lab).folder
    assert folder and folder.mode == 0o777
    lab.repositories.chmod(0o755)


def test_a_folder_that_was_deleted_is_told_as_gone(tmp_path: Path) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    tmp_path.rmdir()
    found = find_folder(Path(f"/proc/self/fd/{folder}"), Owner(1000, 1000))
    os.close(folder)
    told = reason_nothing_is_saved(found, "./repositories") or ""
    assert "./repositories is gone on the host" in told
    assert told.endswith("then: docker compose restart lab kernels")


def test_the_door_is_told_what_is_news(lab: Places) -> None:
    told = ask_kernels(lab.kernels_socket, "/workhorse/news", 10, 10_000)
    assert isinstance(told, list)
    assert ["half_of_it" in text for text in told] == [True]


def test_a_terminal_is_told_what_the_lab_knows_by_itself(lab: Places) -> None:
    told = "\n".join(status(lab))
    assert "Notebooks     /data/notebooks on the host" in told
    assert "Kernels       none running" in told
    assert "half_of_it can't work from here" in told
    assert "docker compose exec workhorse workhorse status" in told


def test_a_terminal_without_a_server_is_told_so(tmp_path: Path) -> None:
    assert "Kernels       not known: JupyterLab has no door here" in "\n".join(status(Places(tmp_path)))


def test_each_other_command_is_answered_with_its_line_for_the_host() -> None:
    assert list(elsewhere("totp", ["totp"]))[1] == "  docker compose exec workhorse workhorse totp"
    assert list(elsewhere("share-ca", ["share-ca", "--stop"]))[1].endswith("workhorse share-ca --stop")
    assert "backup > workhorse-backup.tar.gz" in list(elsewhere("backup", ["backup"]))[1]
    text = "\n".join(help_lines())
    assert "docker compose run --rm workhorse check" in text


def test_kernels_are_told_with_their_notebook_or_their_console() -> None:
    kernel = SimpleNamespace(
        kernel_spec=SimpleNamespace(display_name="Python 3"), started=NOON, execution_state="idle", provisioner=None
    )
    measured = SimpleNamespace(**vars(kernel) | {"provisioner": SimpleNamespace(pid=70)})
    sessions = [
        {"type": "notebook", "path": "a/b.ipynb", "name": "b.ipynb", "kernel": {"id": "1"}},
        {"type": "console", "path": "a/console-1-9f3c", "name": "Console 1", "kernel": {"id": "2"}},
    ]
    assert list(told_kernels({"1": measured, "2": kernel, "3": kernel}, sessions, {70: 2**30, 71: 1})) == [
        Kernel("1", "Python 3", "a/b.ipynb", NOON, "idle", 2**30),
        Kernel("2", "Python 3", "Console 1", NOON, "idle"),
        Kernel("3", "Python 3", None, NOON, "idle"),
    ]


def test_of_many_kernels_that_are_left_out_the_log_names_the_rest() -> None:
    *first, last = kernels_left_out({Path(f"/kernels/{number}"): "no Python" for number in range(5)})
    assert len(first) == 3
    assert last == "Kernels that are left out besides: 2. The log names them: docker compose logs kernels"
    assert json.dumps(first)
