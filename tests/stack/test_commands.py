"""The `workhorse` commands know the settings of `.env`, wherever they are typed."""

from __future__ import annotations

import re
from collections.abc import Callable

from cryptography import x509

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack

MakeStack = Callable[..., Stack]
SHORT_PASSWORD = "eleven char"


def typed_in_a_terminal(client: Client, command: str) -> str:
    """What a command prints, and its exit status: a terminal has the kernels' environment."""
    code = f"""
import subprocess
ran = subprocess.run("workhorse {command}", shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
print(ran.stdout, "exit status", ran.returncode)
"""
    return client.run(code)


def test_a_terminal_is_told_the_addresses_of_the_env_file(stack: Stack, client: Client) -> None:
    assert f"https://localhost:{stack.port}/trust" in typed_in_a_terminal(client, "share-ca")
    told = typed_in_a_terminal(client, "status")
    assert f"https://localhost:{stack.port}" in told
    assert "Listens to this machine alone" in told
    assert "Password      as you set it" in told


def test_docker_s_own_address_is_called_that(stack: Stack, client: Client) -> None:
    """The client has come from this machine."""
    assert client
    (line,) = re.findall(r"([0-9.]+) is Docker itself, which hides who came", stack.workhorse("status"))
    assert f"logged in, from {line} (" in stack.workhorse("status")


def test_the_command_alone_shows_what_there_is(stack: Stack) -> None:
    assert "reset-password" in stack.workhorse()


def test_the_authority_is_shared_by_turns_by_root_and_from_a_terminal(stack: Stack, client: Client) -> None:
    for _ in range(2):
        assert "For 10 minutes" in stack.workhorse("share-ca")
        assert "exit status 0" in typed_in_a_terminal(client, "share-ca")


def test_a_terminal_doesn_t_replace_the_password_of_the_env_file(stack: Stack, client: Client) -> None:
    printed = typed_in_a_terminal(client, "reset-password")
    assert "The password stands in .env" in printed
    assert "exit status 1" in printed
    stack.compose("restart")
    stack.up()
    with Client(stack.url, client.authority) as again:
        assert again.login(PASSWORD).status_code == 302


def test_a_new_authority_vouches_for_the_names_of_the_env_file(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES="lab.example.org")
    # Without a server, which would replace an authority that can't vouch for all of its names.
    script = "workhorse new-authority >&2 && workhorse ca"
    pem = stack.compose("run", "--rm", "-T", "workhorse", "bash", "-c", script).stdout
    authority = x509.load_pem_x509_certificate(pem.encode())
    constraints = authority.extensions.get_extension_for_class(x509.NameConstraints).value
    assert x509.DNSName("lab.example.org") in (constraints.permitted_subtrees or [])


def test_the_audit_judges_the_password_where_docker_tells_it_and_nowhere_else(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=SHORT_PASSWORD, TOTP="off")
    stack.up()
    judged = "The password has 11 characters"
    assert judged in stack.workhorse("audit", check=False)
    with Client(stack.url, stack.authority()) as client:
        client.login(SHORT_PASSWORD)
        printed = typed_in_a_terminal(client, "audit")
        assert judged not in printed
        assert "made up" not in printed
        assert "so it was not judged" in printed
        kept = client.run("print(open('/run/workhorse/settings.json').read())")
        assert "BIND_ADDRESS" in kept
        assert SHORT_PASSWORD not in kept
        assert "JUPYTER_PASSWORD" not in kept


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
