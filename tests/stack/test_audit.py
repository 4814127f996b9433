"""`workhorse audit` as a person runs it: what it says, and the exit status that a script asks for."""

from __future__ import annotations

import os
import re
from collections.abc import Callable

import pytest

from entrypoint.system.image import BUILT
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack

MakeStack = Callable[..., Stack]


def audit(stack: Stack) -> list[str]:
    """The weaknesses that are told but for the image's age, which is this machine's matter."""
    result = stack.compose("exec", "-T", "workhorse", "workhorse", "audit", check=False)
    findings = re.findall(r"^- (.+)\n  (.+)\n\n", result.stdout, re.MULTILINE)
    assert result.stdout.endswith(f"{len(findings)} found.\n" if findings else "Nothing weak found.\n")
    assert result.returncode == (1 if findings else 0)
    assert PASSWORD[:9] not in result.stdout + result.stderr
    return [weakness for weakness, _ in findings if "days old" not in weakness]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_an_installation_without_a_weakness_passes(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD_FILE="./password.txt", MEMORY_LIMIT="2g")
    file = stack.folder / "password.txt"
    file.write_text(PASSWORD)
    file.chmod(0o600)
    stack.up()
    assert audit(stack) == []


def test_each_weakness_is_told(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD[:9], TOTP="on")
    stack.repositories.chmod(0o777)
    stack.up()
    words = ["9 characters", "docker inspect", "no phone", "Everybody", "memory"]
    weaknesses = audit(stack)
    assert [word in weakness for word, weakness in zip(words, weaknesses, strict=True)] == [True] * len(words)


def test_a_made_up_password_is_weak_until_it_is_replaced(own_stack: MakeStack) -> None:
    stack = own_stack(MEMORY_LIMIT="2g")
    stack.up()
    (weakness,) = audit(stack)
    assert "the log may still hold it" in weakness
    stack.workhorse("reset-password")
    assert audit(stack) == []
    stack.compose("up", "-d", "--no-build", "--force-recreate", "--wait")
    assert audit(stack) == []


def test_the_line_against_docker_inspect_keeps_the_password(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, MEMORY_LIMIT="2g")
    stack.up()
    told = stack.workhorse("audit", check=False)
    assert "reads the password with docker inspect" in told
    assert "In .env: JUPYTER_PASSWORD=''   then: docker compose up -d" in told
    stack.set(JUPYTER_PASSWORD="")
    stack.up()
    assert audit(stack) == []
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302


def test_each_image_holds_every_file_by_which_its_age_is_judged(stack: Stack) -> None:
    *both, of_the_lab = (f"/{name}" for name in BUILT)
    assert stack.door_shell(f"ls -d {' '.join(both)}").split() == sorted(both)
    assert stack.shell(f"ls -d {' '.join([*both, of_the_lab])}").split() == sorted([*both, of_the_lab])
