"""What root runs in the lab, and that none of it is a notebook's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import DOOR, KERNELS, KERNELS_IMAGE, LAB, Stack, poll, start_container

MakeStack = Callable[..., Stack]

# Whatever a start, a health check, the README, SECURITY.md or a person runs by its bare name.
PROGRAMS = [
    "basename", "bash", "cat", "chmod", "choom", "chown", "conda", "date", "env", "find", "git", "grep", "head", "id",
    "install", "jupyter", "ln", "ls", "mamba", "mkdir", "nano", "openssl", "pip", "pip3", "ps", "python", "python3",
    "readlink", "rm", "sed", "setpriv", "sh", "sleep", "stat", "tail", "test", "tini", "touch", "vim", "whoami",
    "workhorse",
]  # fmt: skip
TRAP = "#!/bin/sh\n/usr/bin/id -u >>/home/workhorse/ran-as\n"
# What shells, git, vim and Python read by themselves in a home.
READ_BY_THEMSELVES = (".bashrc", ".bash_profile", ".bash_login", ".profile", ".bash_logout")
PLANT = f"""
import pathlib
home = pathlib.Path.home()
for folder in ("venv/bin", ".local/bin", "bin"):
    for name in {PROGRAMS!r}:
        (home / folder).mkdir(parents=True, exist_ok=True)
        program = home / folder / name
        program.unlink(missing_ok=True)
        program.write_text({TRAP!r})
        program.chmod(0o755)
for name in {READ_BY_THEMSELVES!r}:
    (home / name).write_text("/usr/bin/id -u >>/home/workhorse/ran-as\\n")
for name in ("trust.sh", "ca.pem", "passwd"):
    try:
        pathlib.Path("/run/workhorse", name).write_text("/usr/bin/id -u >>/home/workhorse/ran-as\\n")
    except PermissionError:
        pass
(home / ".gitconfig").write_text("[alias]\\n\\tstatus = !id -u >>/home/workhorse/ran-as\\n[core]\\n\\tpager = sh\\n")
"""
TYPED = (
    ["workhorse"], ["workhorse", "status"], ["/usr/local/bin/workhorse", "backup"],
    ["bash", "-c", "true"], ["bash", "-lc", "true"], ["bash", "-ic", "true"], ["sh", "-c", "true"],
    ["/bin/bash", "-ic", "true"], ["/bin/bash", "-lc", "true"],
    ["python", "-c", "pass"], ["python3", "-c", "pass"], ["pip", "--version"], ["conda", "--version"],
    ["git", "status"], ["rm", "--version"], ["env"], ["ls"],
)  # fmt: skip


def ran_as(stack: Stack) -> set[str]:
    return set(stack.compose("exec", "-T", KERNELS, "/bin/cat", "/home/workhorse/ran-as").stdout.split())


def last_check(stack: Stack) -> str:
    """When the last health check began; the engine remembers five."""
    return str(stack.kernels.attrs["State"]["Health"]["Log"][-1]["Start"])


def test_root_runs_nothing_that_a_notebook_has_written(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        assert client.run(PLANT) == ""
    checked = last_check(stack)
    for typed in TYPED:
        stack.compose("exec", "-T", KERNELS, *typed, check=False)
    # The person's own shell runs the person's own: the trap does work.
    assert ran_as(stack) == {"1000"}
    poll(lambda: last_check(stack) != checked or None, 60, "another health check")
    stack.compose("restart", "-t", "1")
    stack.compose("run", "--rm", "-T", KERNELS, "true")
    stack.compose("run", "--rm", "-T", "--entrypoint", "rm", KERNELS, "--version")
    stack.compose("run", "--rm", "-T", "--entrypoint", "bash", KERNELS, "-ic", "true")
    assert ran_as(stack) == {"1000"}


def test_no_folder_on_root_s_path_can_be_written_to_by_a_notebook(stack: Stack) -> None:
    path = stack.compose("exec", "-T", KERNELS, "/usr/bin/printenv", "PATH").stdout.strip()
    assert path.split(":")[-1] == "/bin"
    script = f"import os; print([f for f in '{path}'.split(':') if os.access(f, os.W_OK) or '/home' in f])"
    assert stack.shell(f'python3 -c "{script}"').strip() == "[]"


def test_what_is_typed_after_exec_runs_as_the_person(stack: Stack) -> None:
    def typed(*command: str) -> list[str]:
        return stack.compose("exec", "-T", KERNELS, *command).stdout.split()

    for shell in ("bash", "sh"):
        assert typed(shell, "-c", "id -u; echo $HOME; grep CapBnd /proc/self/status") == [
            "1000", "/home/workhorse", "CapBnd:", "0" * 16,
        ]  # fmt: skip
    missing = stack.compose("exec", "-T", KERNELS, "/opt/workhorse/as-person", check=False)
    assert (missing.returncode, missing.stderr) == (127, "as-person: command not found\n")
    python = "import os, sys; print(os.getuid(), sys.executable)"
    assert typed("python", "-c", python) == ["1000", "/home/workhorse/venv/bin/python"]


def test_an_environment_made_after_exec_is_the_person_s(stack: Stack) -> None:
    stack.compose("exec", "-T", KERNELS, "conda", "create", "-y", "-q", "-n", "typed", "python=3.13")
    assert stack.shell("stat -c %u ~/.conda ~/.conda/envs/typed").split() == ["1000", "1000"]


def test_root_has_a_home_that_is_the_image_s(stack: Stack) -> None:
    assert stack.compose("exec", "-T", KERNELS, "/usr/bin/printenv", "HOME").stdout.strip() == "/root"


@pytest.mark.parametrize("user", ["1000:1000", "4242:0"])
def test_a_program_instead_of_the_server_finds_the_person_s_world(user: str) -> None:
    home, command = "--tmpfs=/home/workhorse:mode=1777,exec", ["sh", "-c", "echo $HOME; command -v python"]
    ended = start_container({}, "--user", user, home, arguments=command, image=KERNELS_IMAGE)
    assert ended.stdout.split()[-2] == "/home/workhorse", ended.stderr
    assert ended.stdout.split()[-1] in ("/home/workhorse/venv/bin/python", "/opt/conda/envs/default/bin/python")


def test_where_all_are_one_user_no_notebook_can_read_the_password(own_stack: MakeStack) -> None:
    """Started as a user, the door has the password in its environment, and so has each health check of it."""
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    as_user = '{user: "1000:1000"}'
    override = f"services: {{{DOOR}: {as_user}, {LAB}: {as_user}, {KERNELS}: {as_user}}}\n"
    (stack.folder / "docker-compose.override.yml").write_text(override)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        found = client.run(LOOK_AROUND)
        assert "entrypoint.kernels.server" in found
        assert PASSWORD not in found
    assert "read the password" not in stack.log() + stack.workhorse("audit", check=False)


LOOK_AROUND = """
import glob, os
for file in glob.glob("/proc/[0-9]*/environ") + glob.glob("/proc/[0-9]*/cmdline") + glob.glob("/run/secrets/*"):
    try: print(open(file, "rb").read())
    except OSError: pass
"""
