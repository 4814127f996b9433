"""A password in a file: closed to notebooks where it is root's, and told where it isn't."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack

MakeStack = Callable[..., Stack]
MOUNTED = "/run/secrets/jupyter_password"
CLOSE = "sudo chown root:root ./password.txt && sudo chmod 600 ./password.txt"
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


def with_password_file(own_stack: MakeStack, uid: int, mode: int) -> Stack:
    stack = own_stack(JUPYTER_PASSWORD_FILE="./password.txt")
    file = stack.folder / "password.txt"
    file.write_text(f"{PASSWORD}\n")
    os.chown(file, uid, uid)
    file.chmod(mode)
    return stack


def read_in_a_kernel(stack: Stack) -> str:
    """What a notebook finds in the file, after a login with the password that is in it."""
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        return client.run(f"print(open('{MOUNTED}').read())")


def audit(stack: Stack) -> str:
    return stack.workhorse("audit", check=False)


def test_a_file_of_root_alone_opens_the_door_and_no_notebook_can_read_it(own_stack: MakeStack) -> None:
    stack = with_password_file(own_stack, 0, 0o600)
    stack.up()
    assert "PermissionError" in read_in_a_kernel(stack)
    assert "ATTENTION" not in stack.log()
    assert "can read the password" not in audit(stack)


@pytest.mark.parametrize(("uid", "mode"), [(1000, 0o600), (0, 0o644)], ids=["the-person-s", "everybody-s"])
def test_a_file_that_notebooks_can_read_is_told_and_what_is_told_mends_it(
    own_stack: MakeStack, uid: int, mode: int
) -> None:
    stack = with_password_file(own_stack, uid, mode)
    stack.up()
    assert PASSWORD in read_in_a_kernel(stack)
    for text in (stack.log(), audit(stack)):
        assert "Every notebook can read the password: the file that JUPYTER_PASSWORD_FILE names" in text
        assert f"it belongs to user {uid}, mode {mode:04o}" in text
        assert CLOSE in text
        assert PASSWORD not in text
    subprocess.run(CLOSE.replace("sudo ", ""), shell=True, check=True, cwd=stack.folder)  # noqa: S602  # as it is told
    assert "PermissionError" in read_in_a_kernel(stack)
    assert "can read the password" not in audit(stack)


def test_a_new_password_in_the_file_counts_once_what_is_told_is_done(own_stack: MakeStack) -> None:
    stack = with_password_file(own_stack, 0, 0o600)
    (stack.folder / "password.txt").write_text("sesame-9")
    stack.up()
    assert "that JUPYTER_PASSWORD_FILE names, then: docker compose restart" in audit(stack)
    refused = stack.compose("exec", "-T", "workhorse", "workhorse", "reset-password", check=False).stderr
    assert "names a file, change that, then: docker compose restart" in refused
    (stack.folder / "password.txt").write_text(PASSWORD)
    assert "The password in the file doesn't count yet" in audit(stack)
    stack.compose("restart")
    stack.up()
    assert "doesn't count yet" not in audit(stack)
    assert "PermissionError" in read_in_a_kernel(stack)


def test_where_start_and_notebooks_are_one_user_the_hash_alone_is_left(own_stack: MakeStack) -> None:
    stack = with_password_file(own_stack, 1000, 0o600)
    override = 'services: {workhorse: {user: "1000:1000"}}\n'
    (stack.folder / "docker-compose.override.yml").write_text(override)
    stack.up()
    for text in (stack.log(), audit(stack)):
        assert "No owner or mode can mend that here" in text
        assert "In .env: JUPYTER_PASSWORD_FILE=   then: docker compose up -d" in text
    stack.set(JUPYTER_PASSWORD_FILE="")
    stack.up()
    # The same password still opens.
    assert PASSWORD not in read_in_a_kernel(stack)
    assert "ATTENTION" not in stack.log()
