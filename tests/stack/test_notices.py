"""A phone is told of a long cell's end, by a service of one's own: a real one, in the door's network."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest

from tests.clients import SECONDS, Client, Kernel
from tests.conftest import PASSWORD
from tests.stacks import DOOR, IMAGE, KERNELS, LAB, Stack, new_stack, poll, prepared

SECRET = "of-the-phone-s-alone"
URL = f"json://receiver:8000/{SECRET}"
# Prints what it is sent; `/broken` is a service that fails.
RECEIVER = """
import http.server, sys
class Receiver(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers['Content-Length'])).decode()
        print(self.path, body, flush=True)
        self.send_response(500 if 'broken' in self.path else 200)
        self.end_headers()
    def log_message(self, *_): pass
http.server.HTTPServer(('', 8000), Receiver).serve_forever()
"""
SERVER = "$(pgrep -P 1 -f door.server)"
OVERRIDE = {
    "services": {
        "receiver": {
            "image": IMAGE,
            "pull_policy": "never",
            "user": "1000",
            "init": True,
            "entrypoint": ["/opt/server/bin/python", "-I", "-c", RECEIVER],
        }
    }
}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack whose notices go to a service of its own."""
    stack = new_stack(tmp_path_factory.mktemp("told"), JUPYTER_PASSWORD=PASSWORD, NOTIFY_URL=URL)
    (stack.folder / "docker-compose.override.yml").write_text(json.dumps(OVERRIDE))
    # Whose end is the service's too.
    with prepared(stack) as stack:
        stack.up()
        yield stack


def received(stack: Stack) -> list[tuple[str, dict[str, Any]]]:
    """The path and the notice of each that the service was sent."""
    lines = stack.container_of("receiver").logs().decode().splitlines()
    return [(path, json.loads(body)) for path, _, body in (line.partition(" ") for line in lines)]


def notebook(stack: Stack, name: str, *cells: str) -> None:
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    content = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells], metadata=kernel)
    (stack.repositories / name).write_text(nbformat.writes(content))


def outputs(path: Path) -> list[str]:
    """What the cells of a notebook have printed."""
    cells = nbformat.read(path, as_version=4).cells
    return ["".join(each.get("text", "") for each in cell.outputs) for cell in cells]


def in_background(stack: Stack, name: str) -> None:
    """As a person at a terminal, who then closes it."""
    stack.shell(f"cd /repositories && nohup workhorse run {name} >{name}.log 2>&1 &")


def is_told(stack: Stack, title: str) -> Callable[[], dict[str, Any] | None]:
    return lambda: next((body for _, body in received(stack) if body["title"] == title), None)


def test_a_run_tells_of_its_end_with_its_name_and_its_last_line_and_no_more(told: Stack) -> None:
    notebook(told, "night.ipynb", "print('first')", "print('a \\x1b[31mred\\x1b[0m line')")
    printed = told.shell("cd /repositories && workhorse run night.ipynb")
    assert "night-run-" in printed
    (copy,) = told.repositories.glob("night-run-*.ipynb")
    assert outputs(copy) == ["first\n", "a \x1b[31mred\x1b[0m line\n"]
    assert outputs(told.repositories / "night.ipynb") == ["", ""]
    assert copy.stat().st_uid == 1000
    body = poll(is_told(told, f"{copy.name}: done"), wanted="a notice")
    assert body["message"] == "a red line"
    assert "first" not in json.dumps(body)
    assert received(told)[-1][0] == f"/{SECRET}"


def test_a_run_that_fails_and_one_that_is_killed_tell_so(told: Stack) -> None:
    notebook(told, "failing.ipynb", "print('fine')", "1 / 0", "print('never')")
    assert "failed" in told.shell("cd /repositories && workhorse run failing.ipynb", check=False)
    (copy,) = told.repositories.glob("failing-run-*.ipynb")
    assert outputs(copy) == ["fine\n", "", ""]
    body = poll(is_told(told, f"{copy.name}: failed"), wanted="a notice")
    assert body["message"] == "ZeroDivisionError: division by zero"
    notebook(told, "killed.ipynb", "print('begun')", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    told.shell("cd /repositories && workhorse run killed.ipynb", check=False)
    (copy,) = told.repositories.glob("killed-run-*.ipynb")
    assert poll(is_told(told, f"{copy.name}: killed"), wanted="a notice")["message"] == "begun"


def test_what_can_t_be_run_is_named_with_what_can(told: Stack) -> None:
    (told.repositories / "list.ipynb").write_text("[]")
    notebook(told, "elsewhere.ipynb", "1")
    elsewhere = told.repositories / "elsewhere.ipynb"
    elsewhere.write_text(elsewhere.read_text().replace('"python3"', '"julia"'))
    for name, why in {
        "nowhere.ipynb": "/repositories/nowhere.ipynb can't be read: No such file or directory.",
        "list.ipynb": "/repositories/list.ipynb can't be read: it is no notebook.",
        "elsewhere.ipynb": "The notebook's kernel 'julia' is not here.",
        "": "Which notebook is to be run?",
    }.items():
        refused = told.shell(f"cd /repositories && ! workhorse run {name} 2>&1")
        assert refused.splitlines()[0] == why
        assert len(refused.splitlines()) == 2
    assert [*told.repositories.glob("elsewhere-run-*"), *told.repositories.glob("list-run-*")] == []


def test_a_run_survives_its_terminal_the_lab_and_the_door_and_is_listed_meanwhile(told: Stack) -> None:
    code = "import pathlib, time\nwhile not pathlib.Path('/repositories/go').exists(): time.sleep(0.1)\nprint('went')"
    notebook(told, "long.ipynb", code)
    in_background(told, "long.ipynb")

    def listed() -> str | None:
        """With its memory, which is looked at before the list of runs."""
        return next((line for line in kernels(told) if "long-run-" in line and line.endswith(" GiB")), None)

    assert "(Python 3): busy, since 20" in poll(listed, wanted="a run in the list")
    told.compose("up", "-d", "--no-build", "--no-deps", "--force-recreate", "--wait", DOOR, LAB)
    assert any("long-run-" in line for line in kernels(told))
    (told.repositories / "go").touch()
    (copy,) = told.repositories.glob("long-run-*.ipynb")
    assert poll(is_told(told, f"{copy.name}: done"), wanted="a notice")["message"] == "went"
    assert not any("long-run-" in line for line in kernels(told))


def test_a_long_cell_whose_page_was_closed_is_told_of(told: Stack) -> None:
    notebook(told, "closed.ipynb", "cell")
    with Client(told.url, told.authority()) as client:
        client.login(PASSWORD)
        session = client.api(
            "POST", "sessions", path="closed.ipynb", type="notebook", name="", kernel={"name": "python3"}
        )
        kernel = Kernel(client, session["kernel"]["id"])
        kernel.send("print('short')", "short")
        kernel.send("import time\nfor n in range(62):\n    print('second', n)\n    time.sleep(1)", "long")
        poll(lambda: "second" in kernel.receive(SECONDS)["content"].get("text", "") or None, wanted="a line")
        kernel.socket.close()
        body = poll(is_told(told, "closed.ipynb: done"), seconds=4 * SECONDS, wanted="a notice")
        assert body["message"] == "second 61"
        assert [each for _, each in received(told) if each["title"].startswith("closed.ipynb")] == [body]
        client.api("DELETE", f"sessions/{session['id']}")


def kernels(stack: Stack) -> list[str]:
    return stack.workhorse("kernels", check=False).splitlines()


def test_jupyter_s_own_commands_run_a_notebook_with_the_default_kernel(told: Stack) -> None:
    """Those of nbconvert and papermill, once a person has installed them."""
    notebook(told, "asked.ipynb", "import numpy, sys; print(sys.executable)")
    told.shell("pip install -q --disable-pip-version-check nbconvert papermill")
    told.shell("mkdir ~/asked && cp /repositories/asked.ipynb ~/asked")
    told.shell("cd ~/asked && jupyter execute --output=executed asked.ipynb")
    told.shell("cd ~/asked && jupyter nbconvert --to notebook --execute asked.ipynb --output converted")
    told.shell("cd ~/asked && papermill asked.ipynb parameterised.ipynb")
    for name in ("executed", "converted", "parameterised"):
        assert "/home/workhorse/venv/bin/python" in told.shell(f"cat ~/asked/{name}.ipynb")


def test_one_who_runs_it_and_is_killed_is_told_of_too(told: Stack) -> None:
    notebook(told, "orphan.ipynb", "import time; time.sleep(600)")
    in_background(told, "orphan.ipynb")
    poll(lambda: any("orphan-run-" in line for line in kernels(told)) or None, wanted="a run in the list")
    told.shell("pkill -KILL -f 'command run orphan.ipynb'")
    (copy,) = told.repositories.glob("orphan-run-*.ipynb")
    poll(is_told(told, f"{copy.name}: killed"), wanted="a notice")
    # Its kernel doesn't outlive it.
    poll(lambda: told.shell("pgrep -fc ipykernel", check=False) == "0\n" or None, wanted="the kernel's end")


def test_where_notices_go_to_is_known_to_nobody_but_the_door(told: Stack) -> None:
    everywhere = "cat /proc/[0-9]*/environ /proc/[0-9]*/cmdline 2>/dev/null; env"
    for service in (LAB, KERNELS):
        assert SECRET not in told.shell_of(service)(everywhere)
    assert SECRET not in told.door_shell("cat /proc/[0-9]*/cmdline; cat /run/workhorse/settings.json")
    assert told.door_shell("stat -c '%a %u' /run/workhorse/server/notify-url") == "600 1000\n"
    assert SECRET not in told.log()
    assert SECRET not in told.workhorse("status")


def test_a_trial_is_sent_by_the_same_way(told: Stack) -> None:
    assert told.workhorse("notify").startswith("Sent.")
    poll(is_told(told, "Workhorse: a trial"), wanted="a notice")


def test_a_service_that_fails_is_told_of_once_without_its_address(told: Stack) -> None:
    told.set(NOTIFY_URL=f"{URL}-broken")
    told.up()
    refused = told.compose("exec", "-T", DOOR, "workhorse", "notify", check=False)
    assert refused.returncode == 1
    assert refused.stderr.startswith("The notice could not be sent: Failed to send JSON POST notification: ")
    notebook(told, "unheard.ipynb", "print('x')")
    for _ in range(2):
        told.shell("cd /repositories && workhorse run unheard.ipynb")

    def both() -> bool | None:
        return len([path for path, body in received(told) if body["title"].startswith("unheard-")]) == 2 or None

    poll(both, wanted="two notices")
    told.told("A notice could not be sent by NOTIFY_URL: Failed to send JSON POST notification: ")
    assert told.door_log().count("A notice could not be sent") == 1
    assert SECRET not in told.log() + refused.stderr
    told.set(NOTIFY_URL=URL)
    told.up()


def test_what_is_no_address_of_a_service_is_told_before_it_counts(told: Stack) -> None:
    for value, told_of in (
        (f"ntfyy://{SECRET}", "NOTIFY_URL leads nowhere: none of the services that apprise knows has such an address."),
        (f"https://example.org/{SECRET}", "NOTIFY_URL leads nowhere: "),
        (SECRET, "NOTIFY_URL is no address of a service for notices."),
    ):
        told.set(NOTIFY_URL=value)
        refused = told.compose("run", "--rm", "--no-deps", "-T", "workhorse", "check", check=False)
        assert refused.returncode == 1
        assert told_of in refused.stderr
        assert "NOTIFY_URL='ntfys://ntfy.sh/" in refused.stderr
        assert SECRET not in refused.stderr + refused.stdout
    told.set(NOTIFY_URL=URL)


def test_the_door_wakes_nobody_for_it(told: Stack) -> None:
    # No door is there to ask again for what the restart cuts.
    told.compose("stop", "-t", "1", DOOR)
    told.compose("restart", "-t", "1", KERNELS)
    poll(lambda: told.shell("ls /run/kernels") == "socket\n" or None, wanted="a server that waits")
    told.compose("up", "-d", "--no-build", "--no-deps", "--force-recreate", "--wait", DOOR)
    with Client(told.url, told.authority()) as client:
        client.login(PASSWORD)
        # The door looks every two seconds.
        age = f"ps -o etimes= -p {SERVER}"
        poll(lambda: int(told.door_shell(age)) > 5 or None, wanted="a door that has looked")
        assert told.shell("ls /run/kernels") == "socket\n"
        client.kernel_names()
        assert told.shell("ls /run/kernels") == "awake\nsocket\n"
