"""The health check: it asks the running server, over TLS that it verifies, and answers soon."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
import requests

from tests.stacks import Stack, poll

MakeStack = Callable[..., Stack]
SECONDS_AFTER_READY = 2


def healthcheck(stack: Stack, *options: str) -> tuple[int, str]:
    result = stack.compose("exec", "-T", *options, "workhorse", "workhorse", "healthcheck", check=False)
    return result.returncode, result.stdout.strip()


def first_success(stack: Stack) -> tuple[datetime, datetime] | None:
    """When the first probe that found the server well began, and when the one before it was over."""
    probes = stack.container.attrs["State"]["Health"]["Log"]
    times = [(datetime.fromisoformat(probe["Start"]), datetime.fromisoformat(probe["End"])) for probe in probes]
    successes = [number for number, probe in enumerate(probes) if probe["ExitCode"] == 0]
    if not successes:
        return None
    number = successes[0]
    return times[number][0], times[number - 1][1] if number else datetime.fromtimestamp(0, UTC)


@pytest.mark.filterwarnings("ignore::urllib3.exceptions.InsecureRequestWarning")
def test_it_reports_within_two_seconds_of_readiness(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD="correct horse battery")
    stack.compose("up", "-d", "--no-build")

    def answered_at() -> datetime | None:
        try:
            requests.get(f"{stack.url}/login", verify=False, timeout=5).raise_for_status()  # noqa: S501  # trust is not the question here
        except requests.RequestException:
            return None
        return datetime.now(UTC)

    ready = poll(answered_at)
    began, one_before_ended = poll(lambda: first_success(stack))
    # By the engine's clock, and without what a busy machine takes for a probe itself.
    assert (began - max(ready, one_before_ended)).total_seconds() < SECONDS_AFTER_READY
    assert stack.container.attrs["Config"]["Healthcheck"]["StartInterval"] == 10**9


def test_it_ignores_proxies(stack: Stack) -> None:
    variables = [
        word for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY") for word in ("-e", f"{name}=http://127.0.0.1:9")
    ]
    assert healthcheck(stack, *variables) == (0, "The server answers.")


def test_it_works_as_the_server_s_user_too(stack: Stack) -> None:
    assert healthcheck(stack, "-u", "1000") == (0, "The server answers.")


def test_a_server_that_hangs_is_unhealthy(stack: Stack) -> None:
    stack.shell("kill -STOP $(pgrep -P 1 -f entrypoint.lab.server)")
    try:
        status, reason = healthcheck(stack)
    finally:
        stack.shell("kill -CONT $(pgrep -P 1 -f entrypoint.lab.server)")
    assert status == 1
    assert reason.startswith("The server does not answer")


def test_a_certificate_of_another_authority_is_unhealthy(stack: Stack) -> None:
    stack.shell("mkdir -p /tmp/other && cd /tmp/other && openssl req -x509 -newkey rsa:2048 -nodes -keyout key.pem "
                "-out other.pem -subj /CN=other -days 2 2>/dev/null")  # fmt: skip
    script = "/opt/server/bin/python -I -m entrypoint.door.healthcheck /tmp/other/other.pem 8888; echo $?"
    answer = stack.shell(script)
    assert "certificate verify failed" in answer
    assert answer.endswith("1\n")
