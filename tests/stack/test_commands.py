"""The `workhorse` commands: at the door they know the settings of `.env`; in a terminal they name the host's line."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from cryptography import x509

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

MakeStack = Callable[..., Stack]
SHORT_PASSWORD = "eleven char"
AT_THE_DOOR = (
    "audit",
    "share-ca",
    "kernels",
    "notify",
    "reset-password",
    "sign-out",
    "totp",
    "renew",
    "new-authority",
    "cluster",
)
# Of everything that a command could change.
STATE = "cd /var/lib/workhorse; sha256sum password-hash *-secret tls/*.pem; ls; ls /run/workhorse/server"


def typed_in_a_terminal(client: Client, command: str) -> str:
    """What a command prints, and its exit status: a terminal has the kernels' environment."""
    code = f"""
import subprocess
ran = subprocess.run("workhorse {command}", shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(ran.stdout, "exit status", ran.returncode)
"""
    return client.run(code)


def test_the_door_tells_the_addresses_of_the_env_file(stack: Stack) -> None:
    assert f"https://localhost:{stack.port}/trust" in stack.workhorse("share-ca")
    told = stack.workhorse("status")
    assert f"https://localhost:{stack.port}" in told
    assert "Listens to this machine alone" in told
    assert "Password      as you set it" in told


@pytest.mark.parametrize("command", AT_THE_DOOR)
def test_a_terminal_is_told_the_line_for_the_host(stack: Stack, client: Client, command: str) -> None:
    """The door alone knows and changes what they are about."""
    # A login is written down beside its answer.
    before = poll(lambda: state if "open-logins.json" in (state := stack.door_shell(STATE)) else None)
    printed = typed_in_a_terminal(client, command)
    assert f"docker compose exec workhorse workhorse {command}" in printed
    assert "exit status 1" in printed
    assert "Traceback" not in printed
    assert stack.door_shell(STATE) == before


def test_a_terminal_is_told_what_the_lab_knows_by_itself(stack: Stack, client: Client) -> None:
    printed = typed_in_a_terminal(client, "status")
    assert "Notebooks     ./repositories on the host" in printed
    # The one that asks.
    assert re.search(r"Kernels       \d+ running\n(.+\n)*.* \(Python 3\): busy, since 20\d\d-\d\d-\d\d .* GiB", printed)
    assert "docker compose exec workhorse workhorse status" in printed
    assert "exit status 0" in printed


def test_status_at_the_door_tells_which_kernels_run_and_since_when(stack: Stack, client: Client) -> None:
    model: dict[str, object] = {
        "path": "course/1.ipynb",
        "name": "1.ipynb",
        "type": "notebook",
        "kernel": {"name": "python3"},
    }
    session = client.api("POST", "sessions", **model)
    pattern = r"course/1\.ipynb \(Python 3\): \w+, since 20\d\d-\d\d-\d\d \d\d:\d\d UTC"
    assert re.search(pattern, stack.workhorse("status"))
    client.api("DELETE", f"sessions/{session['id']}")
    assert not re.search(pattern, stack.workhorse("status"))


TERMINALS = [
    ({}, "/repositories"),
    ({"cwd": ""}, "/repositories"),
    ({"cwd": "tmp"}, "/repositories/tmp"),
    ({"cwd": "/tmp"}, "/tmp"),
]


@pytest.mark.parametrize(("asked", "folder"), TERMINALS)
def test_a_terminal_opens_among_the_notebooks(stack: Stack, client: Client, asked: dict[str, str], folder: str) -> None:
    stack.shell("mkdir -p /repositories/tmp")
    name = client.api("POST", "terminals", **asked)["name"]
    file = stack.repositories / f"opens-{TERMINALS.index((asked, folder))}.pwd"
    client.type_in(name, f"pwd >/repositories/{file.name}\r")
    found = poll(lambda: file.read_text() if file.exists() else None, wanted="a folder")
    assert found.strip() == folder
    client.api("DELETE", f"terminals/{name}")


def test_a_terminal_is_told_what_can_be_asked_there(client: Client) -> None:
    printed = typed_in_a_terminal(client, "")
    assert "workhorse status  " in printed
    assert "docker compose exec workhorse workhorse" in printed
    assert "Traceback" not in printed


def test_docker_s_own_address_is_called_that(stack: Stack, client: Client) -> None:
    """The client has come from this machine."""
    assert client
    (line,) = re.findall(r"([0-9.]+) is Docker itself, which hides who came", stack.workhorse("status"))
    assert f"logged in, from {line} (" in stack.workhorse("status")


def test_the_command_alone_shows_what_there_is(stack: Stack) -> None:
    assert "reset-password" in stack.workhorse()


def test_the_authority_is_shared_by_turns_by_root_and_by_the_door_s_own_user(stack: Stack) -> None:
    for _ in range(2):
        assert "For 10 minutes" in stack.workhorse("share-ca")
        assert "For 10 minutes" in stack.door_shell("workhorse share-ca", user="1000")


@pytest.mark.parametrize("user", ["0", "1000"])
def test_no_command_replaces_the_password_of_the_env_file(stack: Stack, client: Client, user: str) -> None:
    command = ("exec", "-T", "-u", user, "workhorse", "workhorse", "reset-password")
    refused = stack.compose(*command, check=False)
    assert refused.returncode == 1
    assert "The password stands in .env" in refused.stderr
    stack.compose("restart", "workhorse")
    stack.up()
    with Client(stack.url, client.authority) as again:
        assert again.login(PASSWORD).status_code == 302


def test_a_new_authority_vouches_for_the_names_of_the_env_file(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES="lab.example.org")
    # Without a server, which would replace an authority that can't vouch for all of its names.
    script = "workhorse new-authority >&2 && workhorse ca"
    pem = stack.compose("run", "--rm", "-T", "workhorse", "/bin/bash", "-c", script).stdout
    authority = x509.load_pem_x509_certificate(pem.encode())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    assert x509.DNSName("lab.example.org") in (constraints.permitted_subtrees or [])


def test_the_audit_judges_the_password_where_docker_tells_it_and_nowhere_else(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=SHORT_PASSWORD, TOTP="off")
    stack.up()
    judged = "The password has 11 characters"
    assert judged in stack.workhorse("audit", check=False)
    # As a script or a health check may run it.
    printed = stack.door_shell("env -i /usr/local/bin/workhorse audit", check=False)
    assert judged not in printed
    assert "made up" not in printed
    assert "so it was not judged" in printed
    kept = stack.door_shell("cat /run/workhorse/settings.json")
    assert "BIND_ADDRESS" in kept
    assert SHORT_PASSWORD not in kept
    assert "JUPYTER_PASSWORD" not in kept
    # No notebook finds what the door knows.
    assert stack.shell("ls /run/workhorse/settings.json 2>/dev/null", check=False) == ""
    assert stack.shell("env | grep -c -e BIND_ADDRESS -e TOTP -e PASSWORD", check=False) == "0\n"


def test_a_command_in_a_container_of_its_own_knows_the_env_file(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES="lab.example.org")
    told = stack.compose("run", "--rm", "-T", "workhorse", "workhorse", "status").stdout
    assert f"https://localhost:{stack.port}" in told
    assert "lab.example.org" in told
    assert "as you set it" in told
    refused = stack.compose("run", "--rm", "-T", "workhorse", "workhorse", "reset-password", check=False)
    assert "The password stands in .env" in refused.stderr
    assert refused.returncode == 1


def test_a_command_in_a_container_that_never_started_says_so(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    command = ["run", "--rm", "-T", "--entrypoint", "workhorse", "workhorse", "reset-password"]
    result = stack.compose(*command, check=False)
    assert result.returncode == 1
    assert "The settings are not known here, since this container's start has not read them." in result.stderr
    assert "Traceback" not in result.stderr
