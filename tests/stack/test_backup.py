"""A server that moves to another machine: backed up while it runs, restored where nothing is yet."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import yaml

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stack.test_faults import started_at
from tests.stacks import KERNELS, Stack, poll

MakeStack = Callable[..., Stack]
THEME = "settings/@jupyterlab/apputils-extension:themes"
OPEN_DATABASE = """
import pathlib, sqlite3
database = sqlite3.connect(pathlib.Path.home() / "results.db")
database.execute("PRAGMA journal_mode=WAL")
database.execute("CREATE TABLE results AS SELECT 42 AS answer")
database.commit()
"""


def back_up(stack: Stack) -> tuple[Path, str]:
    """The archive, fetched as the README has it, and what was said meanwhile."""
    archive = stack.folder / "workhorse-backup.tar.gz"
    with archive.open("wb") as file:
        command = [*stack.compose_command, "exec", "-T", "workhorse", "workhorse", "backup"]
        result = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=True)
    return archive, result.stderr


def restore(stack: Stack, archive: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """As the README has it: the kernels' server runs, and the two others don't."""
    stack.compose("up", "-d", "--no-build", "kernels")
    stack.compose("stop", "workhorse", "lab")
    before = started_at(stack, KERNELS)
    result = restore_now(stack, archive, *options)
    if not result.returncode:
        # It starts anew to open what was restored, and Compose gives up on whoever is away for that moment.
        poll(lambda: started_at(stack, KERNELS) != before or None, wanted="another start of the kernels' server")
    return result


def restore_now(stack: Stack, archive: Path, *options: str) -> subprocess.CompletedProcess[str]:
    with archive.open("rb") as file:
        command = [*stack.compose_command, "run", "--rm", "-T", "workhorse", "workhorse", "restore", *options]
        return subprocess.run(command, stdin=file, capture_output=True, text=True, check=False)


def change_theme(client: Client) -> None:
    url = f"{client.url}/lab/api/{THEME}"
    headers = {"X-XSRFToken": client.session.cookies["_xsrf"]}
    raw = {"raw": '{"theme": "JupyterLab Dark"}'}
    client.session.put(url, json=raw, headers=headers, timeout=30).raise_for_status()


def read_theme(client: Client) -> str:
    response = client.session.get(f"{client.url}/lab/api/{THEME}", timeout=30)
    response.raise_for_status()
    return str(response.json()["settings"]["theme"])


def test_a_server_moves_with_its_keys_password_settings_and_lists(own_stack: MakeStack) -> None:
    old, new = own_stack(JUPYTER_PASSWORD=PASSWORD), own_stack()
    old.up()
    trusted = old.authority()
    with Client(old.url, trusted) as client:
        client.login(PASSWORD)
        change_theme(client)
        old.shell("pip install -q --disable-pip-version-check cowsay")
        old.shell("conda create -y -q -n course python=3.13 tqdm")
        old.shell("conda activate course && pip install -q --disable-pip-version-check cowsay")
        kernel = client.start_kernel()
        assert kernel.run(OPEN_DATABASE) == ""
        archive, said = back_up(old)
        assert client.is_logged_in()
        kernel.shut_down()
    assert "2 environments (their lists are kept)" in said and "keys and password hash" in said

    said = restore(new, archive).stderr
    assert "Restored " in said and "restored-environments/README.txt" in said, said
    new.up()
    assert new.authority().read_text() == trusted.read_text()
    with Client(new.url, trusted) as client:
        assert client.login(PASSWORD).status_code == 302
        assert read_theme(client) == "JupyterLab Dark"
        query = "import sqlite3; print(*sqlite3.connect('/home/workhorse/results.db').execute('SELECT * FROM results'))"
        assert client.run(query) == "(42,)\n"
    assert new.shell("cat ~/restored-environments/venv.txt").startswith("cowsay==")
    # As conda itself exports it, with where it lay.
    listed = yaml.safe_load(new.shell("cat ~/restored-environments/course.yml"))
    assert (listed["name"], listed["prefix"]) == ("course", "/home/workhorse/.conda/envs/course")
    assert any(str(each).startswith("tqdm=") for each in listed["dependencies"])
    assert listed["dependencies"][-1]["pip"][0].startswith("cowsay==")
    new.shell("conda env create -q -f ~/restored-environments/course.yml")
    assert new.shell("conda activate course && python -c 'import cowsay, tqdm; print(cowsay.__file__)'").startswith(
        "/home/workhorse/.conda/envs/course/"
    )
    secrets = new.in_state_volume("stat -c '%a %u' /state/password-hash /state/tls/*.pem | sort -u")
    assert secrets == "600 1000\n"


def test_what_was_there_is_kept_and_a_running_server_is_left_alone(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.shell("echo old > ~/work.txt")
    archive, _ = back_up(stack)
    stack.shell("echo new > ~/work.txt")
    refused = restore_now(stack, archive, "--replace")
    assert refused.returncode == 1 and "docker compose stop workhorse" in refused.stderr
    refused = restore(stack, archive)
    assert refused.returncode == 1 and "it holds work.txt. Nothing was restored." in refused.stderr
    cut = stack.folder / "cut.tar.gz"
    cut.write_bytes(archive.read_bytes()[:-100])
    refused = restore(stack, cut, "--replace")
    assert refused.returncode == 1 and "Everything is as it was." in refused.stderr
    assert restore(stack, archive, "--replace").returncode == 0
    stack.up()
    assert stack.shell("cat ~/work.txt ~/before-restore-1/work.txt") == "old\nnew\n"


def test_a_restore_signs_everybody_out(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        archive, _ = back_up(stack)
        assert "Last backup   20" in stack.workhorse("status")
        said = restore(stack, archive, "--replace").stderr
        assert "Every device is signed out" in said, said
        stack.up()
        assert not client.is_logged_in()
        assert client.login(PASSWORD).status_code == 302


def test_a_backup_is_made_with_the_user_s_rights_alone(own_stack: MakeStack) -> None:
    """Nothing in the home becomes root's, and the door asks for no more than the person may read."""
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    database = "import sqlite3; sqlite3.connect('w.db').execute('PRAGMA journal_mode=WAL')"
    stack.shell(f'cd /tmp && python -c "{database}" && cp w.db ~')
    stack.in_home_volume("cd /home && echo secret > root-only && chmod 600 root-only")
    before = stack.shell("find ~ -not -path '*/venv/*' -printf '%p %u %s\\n' | sort")
    _, said = back_up(stack)
    assert "home/root-only: left out: Permission denied" in said
    assert stack.shell("find ~ -not -path '*/venv/*' -printf '%p %u %s\\n' | sort") == before


def test_a_restore_that_was_killed_half_way_ends_the_start_until_it_is_repeated(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    trusted = stack.authority().read_text()
    archive, _ = back_up(stack)
    # As it lies when the kill comes after the first moves.
    half = "mkdir before-restore-1 && mv tls before-restore-1 && touch .half-restored"
    stack.door_shell(f"cd /var/lib/workhorse && {half}", user="1000")
    stack.compose("down")
    refused = stack.compose("run", "--rm", "-T", "workhorse", check=False)
    assert refused.returncode == 1
    assert "A restore was killed half way" in refused.stderr
    assert restore(stack, archive).returncode == 0
    stack.up()
    assert stack.authority().read_text() == trusted


def test_a_server_that_is_killed_while_it_puts_the_home_in_place_goes_on_at_its_start(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.shell(
        "echo old > ~/work.txt && mkdir ~/.restoring-x ~/before-restore-1 && echo new > ~/.restoring-x/work.txt"
    )
    journal = '{"half": "aside", "folder": ".restoring-x", "aside": "before-restore-1"}'
    stack.shell(f"echo '{journal}' > ~/.half-restored")
    stack.compose("restart", "kernels")
    stack.told("A restore was interrupted when it put the home in place; it is done now")
    stack.up()
    assert stack.shell("cat ~/work.txt ~/before-restore-1/work.txt") == "new\nold\n"


def test_a_home_on_which_a_kernel_runs_is_left_alone(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        archive, _ = back_up(stack)
        client.start_kernel()
        refused = restore(stack, archive, "--replace")
    assert refused.returncode == 1 and "what runs: 1 kernels, 0 terminals" in refused.stderr
    assert "docker compose restart kernels" in refused.stderr


def test_without_the_kernels_server_there_is_no_backup(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.compose("stop", "kernels")
    result = stack.compose("exec", "-T", "workhorse", "workhorse", "backup", check=False)
    assert result.returncode == 1 and result.stdout == ""
    assert "There is no backup: the kernels' server can't be reached" in result.stderr
    assert "docker compose up -d kernels" in result.stderr
    assert "Last backup" not in stack.workhorse("status")
