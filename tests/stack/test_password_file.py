"""A password in a file: it opens the door, and no notebook can read it, whosever the file is."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import DOOR, KERNELS, LAB, Stack

MakeStack = Callable[..., Stack]
MOUNTED = "/run/secrets/jupyter_password"
LOOK_AROUND = """
import glob, os
files = [glob.glob(each) for each in ("/run/secrets/*", "/proc/[0-9]*/environ", "/proc/[0-9]*/root/run/secrets/*")]
for file in sum(files, []):
    try: print(file, open(file).read())
    except OSError: pass
print("looked")
"""
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")


def with_password_file(own_stack: MakeStack, uid: int, mode: int) -> Stack:
    stack = own_stack(JUPYTER_PASSWORD_FILE="./password.txt")
    file = stack.folder / "password.txt"
    file.write_text(f"{PASSWORD}\n")
    os.chown(file, uid, uid)
    file.chmod(mode)
    return stack


def assert_it_opens_and_no_notebook_finds_it(stack: Stack) -> None:
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        assert "FileNotFoundError" in client.run(f"open('{MOUNTED}')")
        found = client.run(LOOK_AROUND)
        assert found.endswith("looked\n")
        assert PASSWORD not in found


def audit(stack: Stack) -> str:
    return stack.workhorse("audit", check=False)


@pytest.mark.parametrize(
    ("uid", "mode"), [(0, 0o600), (1000, 0o600), (0, 0o644)], ids=["root-s", "the-person-s", "everybody-s"]
)
def test_whosever_the_file_is_it_opens_the_door_and_no_notebook_can_read_it(
    own_stack: MakeStack, uid: int, mode: int
) -> None:
    stack = with_password_file(own_stack, uid, mode)
    stack.up()
    assert_it_opens_and_no_notebook_finds_it(stack)
    for text in (stack.log(), audit(stack)):
        assert PASSWORD not in text
        assert "read the password" not in text
    # Of the authorities of whatever machine this is, there may be something to tell.
    assert [line for line in stack.log().splitlines() if "ATTENTION" in line and "CA_FILE" not in line] == []


def test_a_new_password_in_the_file_counts_once_what_is_told_is_done(own_stack: MakeStack) -> None:
    stack = with_password_file(own_stack, 0, 0o600)
    (stack.folder / "password.txt").write_text("sesame-9")
    stack.up()
    assert "that JUPYTER_PASSWORD_FILE names, then: docker compose restart workhorse" in audit(stack)
    refused = stack.compose("exec", "-T", DOOR, "workhorse", "reset-password", check=False).stderr
    assert "names a file, change that, then: docker compose restart workhorse" in refused
    (stack.folder / "password.txt").write_text(PASSWORD)
    assert "The password in the file doesn't count yet" in audit(stack)
    stack.compose("restart", DOOR)
    stack.up()
    assert "doesn't count yet" not in audit(stack)
    assert_it_opens_and_no_notebook_finds_it(stack)


def test_where_all_are_started_as_one_user_no_notebook_can_read_it(own_stack: MakeStack) -> None:
    stack = with_password_file(own_stack, 1000, 0o600)
    as_user = '{user: "1000:1000"}'
    override = f"services: {{{DOOR}: {as_user}, {LAB}: {as_user}, {KERNELS}: {as_user}}}\n"
    (stack.folder / "docker-compose.override.yml").write_text(override)
    stack.up()
    assert_it_opens_and_no_notebook_finds_it(stack)
    assert "read the password" not in stack.log() + audit(stack)
