"""The health checks: the door's asks the running server over TLS that it verifies, the others' ask Jupyter; soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import pytest
import requests
from docker.models.containers import Container

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import DOOR, KERNELS, LAB, Stack, poll

MakeStack = Callable[..., Stack]
SECONDS_AFTER_READY = 2
ANSWERS = {LAB: "JupyterLab answers.", KERNELS: "Jupyter answers."}
JUPYTER_CHECK = ("/usr/bin/env", "-i", "/opt/server/bin/python", "-I", "-m")


def healthcheck(stack: Stack, *options: str) -> tuple[int, str]:
    result = stack.compose("exec", "-T", *options, DOOR, "workhorse", "healthcheck", check=False)
    return result.returncode, result.stdout.strip()


def jupyter_healthcheck(stack: Stack, service: str, *options: str) -> tuple[int, str]:
    command = [*options, service, *JUPYTER_CHECK, f"entrypoint.{service}.healthcheck"]
    result = stack.compose("exec", "-T", *command, check=False)
    return result.returncode, result.stdout.strip()


def first_success(container: Container) -> tuple[datetime, datetime] | None:
    """When the first probe that found the server well began, and when the one before it was over."""
    probes = container.attrs["State"]["Health"]["Log"]
    times = [(datetime.fromisoformat(probe["Start"]), datetime.fromisoformat(probe["End"])) for probe in probes]
    successes = [number for number, probe in enumerate(probes) if probe["ExitCode"] == 0]
    if not successes:
        return None
    number = successes[0]
    return times[number][0], times[number - 1][1] if number else datetime.fromtimestamp(0, UTC)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_it_reports_within_two_seconds_of_readiness(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.compose("up", "-d", "--no-build")

    def answered_at() -> datetime | None:
        try:
            requests.get(f"{stack.url}/login", verify=False, timeout=5).raise_for_status()  # noqa: S501  # trust is not the question here
        except requests.RequestException:
            return None
        return datetime.now(UTC)

    ready = poll(answered_at)
    began, one_before_ended = poll(lambda: first_success(stack.container))
    # By the engine's clock, and without what a busy machine takes for a probe itself.
    assert (began - max(ready, one_before_ended)).total_seconds() < SECONDS_AFTER_READY
    assert stack.container.attrs["Config"]["Healthcheck"]["StartInterval"] == 10**9


@pytest.mark.parametrize("service", [LAB, KERNELS])
def test_the_others_report_within_two_seconds_of_readiness(own_stack: MakeStack, service: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.compose("up", "-d", "--no-build", "--wait")
    stack.compose("rm", "-s", "-f", service)
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        stack.compose("up", "-d", "--no-build", service)
        # The door keeps it waiting until there is somebody to answer.
        client.api("GET", "contents" if service == LAB else "kernels")
        ready = datetime.now(UTC)
        began, one_before_ended = poll(lambda: first_success(stack.container_of(service)))
    assert (began - max(ready, one_before_ended)).total_seconds() < SECONDS_AFTER_READY
    assert stack.container_of(service).attrs["Config"]["Healthcheck"]["StartInterval"] == 10**9


def test_it_ignores_proxies(stack: Stack) -> None:
    variables = [
        word for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY") for word in ("-e", f"{name}=http://127.0.0.1:9")
    ]
    assert healthcheck(stack, *variables) == (0, "The server answers.")


def test_they_work_as_the_server_s_user_too(stack: Stack, client: Client) -> None:
    assert healthcheck(stack, "-u", "1000") == (0, "The server answers.")
    client.api("GET", "kernels")
    for service in (LAB, KERNELS):
        assert jupyter_healthcheck(stack, service, "-u", "1000") == (0, ANSWERS[service])


@contextmanager
def stopped(shell: Callable[[str], str], name: str) -> Iterator[None]:
    """A server that hangs."""
    shell(f"kill -STOP $(pgrep -P 1 -f {name})")
    try:
        yield
    finally:
        shell(f"kill -CONT $(pgrep -P 1 -f {name})")


def test_a_door_that_hangs_is_unhealthy_and_the_others_are_not(stack: Stack, client: Client) -> None:
    client.api("GET", "kernels")
    with stopped(lambda script: stack.door_shell(script, user="1000"), "entrypoint.door.server"):
        status, reason = healthcheck(stack)
        for service in (LAB, KERNELS):
            assert jupyter_healthcheck(stack, service) == (0, ANSWERS[service])
    assert status == 1
    assert reason.startswith("The server does not answer")


@pytest.mark.parametrize(("service", "other"), [(LAB, KERNELS), (KERNELS, LAB)])
def test_a_jupyter_that_hangs_is_unhealthy_and_nobody_else_is(
    stack: Stack, client: Client, service: str, other: str
) -> None:
    client.api("GET", "kernels")
    with stopped(stack.shell_of(service), f"entrypoint.{service}"):
        status, reason = jupyter_healthcheck(stack, service)
        assert healthcheck(stack) == (0, "The server answers.")
        assert jupyter_healthcheck(stack, other) == (0, ANSWERS[other])
    assert status == 1
    assert reason.startswith("Jupyter does not answer")


def test_a_certificate_of_another_authority_is_unhealthy(stack: Stack) -> None:
    make = "openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem -out other.pem -subj /CN=other -days 2"
    stack.door_shell(f"mkdir -p /tmp/other && cd /tmp/other && {make} 2>/dev/null")
    script = "/opt/server/bin/python -I -m entrypoint.door.healthcheck /tmp/other/other.pem 8888; echo $?"
    answer = stack.door_shell(script)
    assert "certificate verify failed" in answer
    assert answer.endswith("1\n")
