"""The password and the login, across restarts."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import requests

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stacks import Stack

MakeStack = Callable[..., Stack]

# What Compose, shells and .env files like to change.
HARD_PASSWORDS = [
    "pa$word $HOME ${x}",
    'it\'s # "quoted" \\ 100%',
    "  spaces stay ",
    "Grüße aus Köln",
    "🐴🔋📎 horse",
    "\N{WOMAN}\N{ZERO WIDTH JOINER}\N{MICROSCOPE} at the bench",
]


def test_the_password_opens_and_another_does_not(stack: Stack, client: Client) -> None:
    assert client.is_logged_in()
    with Client(stack.url, client.authority) as stranger:
        response = stranger.login("wrong horse battery")
        assert response.status_code == 401
        assert "This is not the password." in response.text
        assert not stranger.is_logged_in()


def test_no_token_opens_and_none_is_in_any_address(stack: Stack, client: Client) -> None:
    assert "token=" not in stack.log() + stack.workhorse("status")
    anonymous = requests.get(f"{stack.url}/api/status?token=", verify=str(client.authority), timeout=30)
    assert anonymous.status_code == 403


@pytest.mark.parametrize("password", HARD_PASSWORDS)
def test_any_password_of_the_env_file_is_the_one_that_opens(own_stack: MakeStack, password: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=password)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(password).status_code == 302
    assert password not in stack.log()


def test_a_password_file_opens(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD_FILE="./password.txt")
    file = stack.folder / "password.txt"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o600)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
    environment = stack.container.attrs["Config"]["Env"]
    assert not [line for line in environment if PASSWORD in line]


def test_a_restart_keeps_the_login_and_a_changed_password_ends_it_and_no_kernel(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        kernel = client.start_kernel()
        kernel.run("kept = 'kept'")
        stack.compose("up", "-d", "--no-build", "--force-recreate", "--no-deps", "--wait", "workhorse")
        assert client.is_logged_in()
        stack.set(JUPYTER_PASSWORD="another horse battery")
        stack.up()
        assert not client.is_logged_in()
        assert client.login(PASSWORD).status_code == 401
        assert client.login("another horse battery").status_code == 302
        again = Kernel(client, kernel.id)
        assert again.run("print(kept)") == "kept\n"
        again.shut_down()
        stack.compose("up", "-d", "--no-build", "--force-recreate", "--wait")
        assert client.is_logged_in()


def test_a_made_up_password_is_in_the_log_once_and_stays(own_stack: MakeStack) -> None:
    stack = own_stack()
    stack.up()
    password = stack.generated_password()
    assert password not in stack.workhorse("status")
    stack.compose("restart", "workhorse")
    stack.up()
    assert stack.told(password).count(password) == 1
    with Client(stack.url, stack.authority()) as client:
        assert client.login(password).status_code == 302


def test_a_command_before_the_first_start_keeps_no_password_that_nobody_saw(own_stack: MakeStack) -> None:
    stack = own_stack()
    stack.compose("run", "--rm", "-T", "workhorse", "workhorse", "status")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(stack.generated_password()).status_code == 302


def test_a_lost_password_is_replaced(own_stack: MakeStack) -> None:
    stack = own_stack()
    stack.up()
    old = stack.generated_password()
    new = re.search(r"shown this once: (\S+)", stack.workhorse("reset-password"))
    assert new
    stack.compose("restart", "workhorse")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(old).status_code == 401
        assert client.login(new[1]).status_code == 302


def test_a_password_of_the_env_file_is_not_replaced_behind_its_back(stack: Stack) -> None:
    result = stack.compose("exec", "-T", "workhorse", "workhorse", "reset-password", check=False)
    assert result.returncode == 1
    assert "The password stands in .env" in result.stderr


def come_by(stack: Stack, authority: Path, name: str) -> None:
    """Logs in by a name that the certificate lacks."""
    with Client(stack.url, authority) as member:
        member.session.headers["Host"] = f"{name}:{stack.port}"
        member.login(PASSWORD)
        assert member.is_logged_in()


def test_a_name_that_the_certificate_lacks_is_told_with_its_line(stack: Stack, authority: Path) -> None:
    for _ in range(2):
        come_by(stack, authority, "cluster.example.net")
    line = "SERVER_NAMES=lab.example.org,192.168.77.7,cluster.example.net"
    assert stack.told(line).count(line) == 1


def test_a_stranger_s_name_is_not_told(stack: Stack, client: Client) -> None:
    requests.get(f"{stack.url}/login", headers={"Host": "evil.example.net"}, verify=str(client.authority), timeout=30)
    # A member who comes later and is told shows that the log has got as far.
    come_by(stack, client.authority, "later.example.net")
    assert "evil.example.net" not in stack.told("later.example.net")
