"""A clock that jumps a year while the server runs: it serves on at that time, and all is as before when the time is."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stack.test_faults import started_at
from tests.stacks import REPOSITORY, SERVICES, Stack, poll

KEPT = "cd /var/lib/workhorse; sha256sum tls/authority.pem password-hash cookie-secret"
RENEWED = "The server gets a new certificate."
# A device whose clock has jumped too: it verifies the certificate at that time, and logs in.
VISIT = """
import sys, time
from pathlib import Path
from tests.clients import Client
with Client(sys.argv[1], Path(sys.argv[2])) as client:
    print(time.gmtime().tm_year, client.login(sys.argv[3]).status_code, client.run("print(6 * 7)"))
"""


def library() -> Path:
    """libfaketime, as Debian and Ubuntu install it."""
    found = sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    if not found:
        pytest.skip("libfaketime is not here: host/faketime installs it")
    return found[0]


class Clock:
    """The clock of one stack's machine, which all processes of door and lab read in a file."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.folder = stack, stack.folder / "clock"
        self.folder.mkdir()
        shutil.copy(library(), self.folder / "faketime.so")
        self.set("+0")
        # Under this library Python's time.sleep fails, which the first start may use: it makes the virtual environment.
        self._override({})
        stack.up()
        self._override(
            {
                "LD_PRELOAD": "/clock/faketime.so",
                "FAKETIME_TIMESTAMP_FILE": "/clock/offset",
                "FAKETIME_NO_CACHE": "1",
                # When a machine's time is set, its monotonic clock goes on.
                "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            }
        )
        stack.up()

    def _override(self, variables: Mapping[str, str]) -> None:
        mount = {"type": "bind", "source": str(self.folder), "target": "/clock", "read_only": True}
        # From the start the folder's user: the processes share a semaphore that the first one's user alone may take.
        service = {"environment": variables, "volumes": [mount], "user": "1000:1000"}
        # Who isn't root finds a folder that nobody has handed over.
        socket = {"driver_opts": {"type": "tmpfs", "device": "tmpfs", "o": "size=1m,mode=0755,uid=1000"}}
        override = {
            "services": dict.fromkeys(SERVICES, service),
            "volumes": {"socket": socket, "kernels": socket},
        }
        (self.stack.folder / "docker-compose.override.yml").write_text(json.dumps(override))

    def set(self, offset: str) -> None:
        """Moves the clock at once: in one step, or half an offset would be read."""
        new = self.folder / "offset.new"
        new.write_text(offset)
        new.rename(self.folder / "offset")


def kept(stack: Stack) -> str:
    return stack.door_shell(KEPT, user="1000")


def jump(stack: Stack, clock: Clock, offset: str) -> None:
    """Moves the clock, and waits until the server serves a certificate for its time."""
    before = stack.log().count(RENEWED)
    clock.set(offset)
    poll(lambda: stack.log().count(RENEWED) > before, wanted="a certificate for that time")
    # Which is said before it is made; the health check verifies it, by the same clock.
    poll(lambda: "answers" in stack.workhorse("healthcheck", check=False) or None, wanted="that certificate")


def visit(stack: Stack, authority: Path, offset: str) -> list[str]:
    """What a device finds whose clock is as far off as the server's."""
    environment = {**os.environ, "LD_PRELOAD": str(library()), "FAKETIME": offset, "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    command = [sys.executable, "-c", VISIT, stack.url, str(authority), PASSWORD]
    result = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


def test_a_clock_that_jumps_a_year_and_returns_costs_nobody_a_login(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    clock = Clock(stack)
    authority, before, started = stack.authority(), kept(stack), started_at(stack)
    year = int(stack.door_shell("date -u +%Y", user="1000"))
    assert int(stack.shell("date -u +%Y")) == year
    with Client(stack.url, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        kernel.run("x = 'kept'")
        for offset, years in (("+365d", 1), ("-365d", -1)):
            jump(stack, clock, offset)
            assert int(stack.shell("date -u +%Y")) == year + years
            assert visit(stack, authority, offset) == [str(year + years), "302", "42"]
            stack.workhorse("healthcheck")
            jump(stack, clock, "+0")
            client.session.close()
            assert client.is_logged_in()
        # By that clock the login was over, which ends what it has open; a page connects again by itself.
        again = Kernel(client, kernel.id)
        assert again.run("print(x)") == "kept\n"
        again.shut_down()
        assert stack.workhorse("ca") == authority.read_text()
    assert kept(stack) == before
    assert started_at(stack) == started
    assert stack.log().count(RENEWED) == 4
    # Of the server alone: under this library a kernel's own time.sleep fails, which costs it a traceback and no more.
    assert not re.findall(r"^\[[EC] .*", stack.log(), re.MULTILINE)
