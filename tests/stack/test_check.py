"""`.env` is judged before anything is replaced."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable

import pytest

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.pki import University
from tests.stacks import SERVICES, Stack

MakeStack = Callable[..., Stack]


def check(stack: Stack) -> subprocess.CompletedProcess[str]:
    return stack.compose("run", "--rm", "-T", "workhorse", "check", check=False)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"SESSION_DAYS": "0"}, "SESSION_DAYS is '0', which is not a number from 1 to 400."),
        ({"JUPYTER_PASSWORD": "short"}, "JUPYTER_PASSWORD has 5 characters"),
        ({"SESION_DAYS": "3"}, "SESION_DAYS is no setting, and does nothing."),
        ({"CERTIFICATE_FILE": "lab.pem", "KEY_FILE": "lab.key"}, "CERTIFICATE_FILE and KEY_FILE can't be used"),
        ({"CA_FILE": "./docker-compose.override.yml"}, "CA_FILE names a file that holds no certificate"),
        ({"CA_FILE": "./workhorse-ca.pem"}, "CA_FILE names a file that not everybody may read"),
    ],
)
def test_a_wrong_value_is_told_and_ends_no_kernel(own_stack: MakeStack, settings: dict[str, str], told: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    (stack.folder / "docker-compose.override.yml").write_text("services: {}\n")
    stack.up()
    before = stack.container.id, stack.kernels.id
    authority = stack.authority()
    authority.chmod(0o600)
    os.chown(authority, 1000, 1000)
    with Client(stack.url, authority) as client:
        client.login(PASSWORD)
        kernel = client.start_kernel()
        assert kernel.run("answer = 42") == ""
        stack.set(**settings)
        refused = check(stack)
        assert refused.returncode == 1
        assert told in refused.stderr
        assert "short" not in refused.stderr
        assert kernel.run("print(answer)") == "42\n"
    assert (stack.container.id, stack.kernels.id) == before


def test_sound_settings_are_called_that_and_nothing_is_changed(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    before = listing(stack)
    stack.set(SERVER_NAMES="lab.example.org", SESSION_DAYS="3")
    judged = check(stack)
    assert judged.returncode == 0, judged.stderr
    assert (
        "A start makes a new private authority, which every device has to trust anew: it may not vouch for "
        in judged.stdout
    )
    assert "The settings are sound. Next: docker compose up -d" in judged.stdout
    assert listing(stack) == before


def listing(stack: Stack) -> tuple[str, str]:
    """What lies in the two volumes, how old it is and whose."""
    script = "find {} -maxdepth 2 -printf '%p %T@ %U\\n' | sort"
    return stack.door_shell(script.format("/var/lib/workhorse")), stack.shell(script.format("/home/workhorse"))


def test_a_sound_certificate_that_root_alone_may_read_is_sound(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES="lab.example.org")
    pair = University().issue(["lab.example.org"])
    for name, content in (("lab.pem", pair.chain_pem), ("lab.key", pair.key_pem())):
        (stack.certificates / name).write_bytes(content)
        (stack.certificates / name).chmod(0o600)
    stack.set(CERTIFICATE_FILE="lab.pem", KEY_FILE="lab.key")
    assert check(stack).returncode == 0


def test_another_clone_in_the_place_of_one_is_told_before_it_takes_over(own_stack: MakeStack) -> None:
    first, second = own_stack(JUPYTER_PASSWORD=PASSWORD), own_stack(JUPYTER_PASSWORD=PASSWORD)
    first.up()
    impostor = Stack(second.folder, first.project, second.port)
    refused = check(impostor)
    assert refused.returncode == 1
    assert f"from the clone in {first.folder}, and now from {second.folder}" in refused.stderr
    assert "COMPOSE_PROJECT_NAME=workhorse-2" in refused.stderr
    second.up()
    containers = [each for stack in (first, second) for each in map(stack.container_of, SERVICES)]
    assert {each.attrs["State"]["Status"] for each in containers} == {"running"}


def test_the_command_of_the_running_container_says_where_to_run_it(stack: Stack) -> None:
    refused = stack.compose("exec", "-T", "workhorse", "workhorse", "check", check=False)
    assert refused.returncode == 1
    assert "docker compose run --rm workhorse check" in refused.stderr
