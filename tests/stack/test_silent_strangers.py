"""Strangers who say nothing, or next to nothing: they cost little, keep nobody out, and leave nothing behind."""

from __future__ import annotations

import re
import resource
import socket
import ssl
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests
import websocket

from entrypoint.strangers.reception import BACKLOG
from entrypoint.strangers.rooms import SOCKETS
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.guesses import WRONG, guess
from tests.handshakes import Beside
from tests.pki import University, replace_file
from tests.sockets import Form
from tests.stack.test_fuzz import server_memory
from tests.stacks import IMAGE, KERNELS, LAB, READY_SECONDS, Stack, new_stack, poll, prepared

PORT = 8888
# What Docker gave until Engine 29, or as much as this machine lets it give.
MOST_FILES = min(1_048_576, resource.getrlimit(resource.RLIMIT_NOFILE)[1])
MEGABYTE = 2**20
GROWN_BYTES_MAX = 64 * MEGABYTE
DOOR_MEMORY = "128m"
# What ten logins with a kernel each leave is among it.
KEPT_BYTES_MAX = 16 * MEGABYTE
LOGINS = 5
SILENT = Path(__file__).parents[1] / "silent.py"
KINDS = {"silent": 10_000, "slow": 2_000, "greeting": 4_000, "asking": 1_000, "slowly asking": 1_000}


@pytest.fixture(scope="module", params=[1024, MOST_FILES])
def stack(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Stack]:
    """In the place of the usual one: with a limit of files, and just the memory that door and lab need."""
    stack = new_stack(tmp_path_factory.mktemp("stack"), JUPYTER_PASSWORD=PASSWORD, MEMORY_LIMIT="230m")
    limit(stack, request.param, request.param)
    with prepared(stack):
        stack.up()
        yield stack


def limit(stack: Stack, soft: int, hard: int) -> None:
    """Files for all three; the door, which has no limit of memory, gets one for the crowd."""
    (stack.folder / "docker-compose.override.yml").write_text(f"""
services:
  workhorse:
    ulimits: &ulimits
      nofile: {{soft: {soft}, hard: {hard}}}
    mem_limit: {DOOR_MEMORY}
    memswap_limit: {DOOR_MEMORY}
  lab:
    ulimits: *ulimits
  kernels:
    ulimits: *ulimits
""")


@dataclass(frozen=True)
class Crowd:
    """How many have connected, and on how many of those the door had hung up when all had tried."""

    there: int
    gone: int

    def assert_they_came(self) -> None:
        """All but a backlog were accepted, and of those only a room of them had a place."""
        assert self.gone >= self.there - BACKLOG - SOCKETS > 0


@contextmanager
def strangers(stack: Stack, kind: str, count: int) -> Iterator[Callable[[], Crowd]]:
    """They connect while the block goes on, and stay until its end; yields what waits until the last one has tried."""
    command = ["docker", "run", "--rm", "-i", "--network", "host"]
    command += ["-v", f"{SILENT}:/silent.py:ro", "--entrypoint", "/opt/server/bin/python", IMAGE, "-I", "/silent.py"]
    arguments = [kind, stack.address, str(PORT), str(count)]
    with subprocess.Popen([*command, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        told = process.stdout
        assert told

        def wait() -> Crowd:
            there, refused, gone = map(int, re.findall(r"\d+", told.readline()))
            print(f"{kind}: {there} were there, {refused} refused, and on {gone} the door had hung up")
            assert there + refused == count
            return Crowd(there, gone)

        yield wait


def log_in_and_run(stack: Stack, authority: Path) -> float:
    """Logs in by however many attempts: a crowd that outruns the processor may turn one away.

    Returns:
        How long it took, in seconds: less than 5 on a quiet machine, which is printed.
    """
    began = time.monotonic()
    while True:
        try:
            with Client(stack.url, authority) as client:
                assert client.login(PASSWORD).status_code == 302
                took = time.monotonic() - began
                assert client.run("print(1)") == "1\n"
                return took
        except (requests.ConnectionError, ConnectionError, ssl.SSLError, websocket.WebSocketException) as error:
            print(f"turned away: {error!r}")
            assert time.monotonic() - began < READY_SECONDS


def open_files(stack: Stack) -> int:
    # Of another user's files root would need a right that the container lacks.
    return int(stack.door_shell("ls /proc/$(pgrep -P 1 -f entrypoint.door.server)/fd | wc -l", user="1000"))


@pytest.mark.parametrize(("kind", "count"), KINDS.items())
def test_strangers_who_say_next_to_nothing_keep_nobody_out_and_leave_nothing(
    stack: Stack, authority: Path, kind: str, count: int
) -> None:
    log_in_and_run(stack, authority)
    files, memory, before = open_files(stack), server_memory(stack), Counter(stack.log().splitlines())
    with strangers(stack, kind, count) as all_came:
        with (
            Beside(lambda: log_in_and_run(stack, authority), every_seconds=2) as logins,
            Beside(lambda: server_memory(stack), every_seconds=2) as memories,
        ):
            assert all_came().there
            poll(lambda: len(logins.results) >= LOGINS or logins.failures or None, 180, f"{LOGINS} logins")
        # They are there still, so it is the door that lets them go.
        poll(lambda: open_files(stack) <= files + 2 or None, 60, "as many open files as before")
    took = max(value for value in memories.results if isinstance(value, int)) - memory
    print(f"{kind}: {len(logins.results)} logins, the slowest {logins.slowest:.1f} s; {took // 1024} kB grown")
    assert logins.failures == []
    assert took < GROWN_BYTES_MAX
    # Less than 10 kB is asked for, and none is had; those who log in have lines of their own, with each kernel's.
    assert strangers_lines(Counter(stack.log().splitlines()) - before) == []
    poll(lambda: server_memory(stack) - memory < KEPT_BYTES_MAX or None, 20, "as much memory as before")
    print(f"{(server_memory(stack) - memory) // 1024} kB kept")


def strangers_lines(new: Counter[str]) -> list[str]:
    """Without those of a person's login and kernel a moment ago, which may come late."""
    # And what pyzmq says of a client that leaves while its kernel speaks.
    own = ("Login from", "ernel", "uffer", "No session ID", "Got events for closed stream")
    return [line for line in new if not any(part in line for part in own)]


def test_who_is_there_longest_with_nothing_said_goes_and_websockets_stay(stack: Stack, authority: Path) -> None:
    with Client(stack.url, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        with strangers(stack, "silent", 3_000) as all_came:
            all_came().assert_they_came()
            assert kernel.run("print(2)") == "2\n"


@pytest.fixture
def tls(stack: Stack, authority: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority))


def shaken(stack: Stack, tls: ssl.SSLContext) -> ssl.SSLSocket:
    connection = socket.create_connection(("127.0.0.1", stack.port), timeout=20)
    return tls.wrap_socket(connection, server_hostname="localhost")


def garbage(stack: Stack, tls: ssl.SSLContext, before: bytes = b"") -> None:
    """A record that no key opens, after what came before it."""
    with shaken(stack, tls) as connection:
        connection.sendall(before)
        time.sleep(0.01)
        socket.socket.sendall(connection, b"\x17\x03\x03\x00\x40" + b"x" * 64)
        connection.settimeout(5)
        try:
            while connection.recv(4096):
                continue
        except OSError:
            return


def test_garbage_after_the_handshake_is_no_line(stack: Stack, tls: ssl.SSLContext) -> None:
    door, before = stack.door_log(), Counter(stack.log().splitlines())
    form = Form.fetch(stack.port, tls)
    for _ in range(50):
        garbage(stack, tls)
        garbage(stack, tls, form.post(b"password=x")[:-5])
    assert stack.door_log() == door
    assert strangers_lines(Counter(stack.log().splitlines()) - before) == []


def greeting_with_odd_name() -> bytes:
    """A TLS client's first words, which ask for a name (SNI) of bytes that are no text."""
    name = b"lab.example.org"
    outgoing = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname=name.decode())
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    words = outgoing.read()
    assert words.count(name) == 1
    return words.replace(name, b"\xff" * len(name))


def test_a_name_that_is_no_text_is_no_line(own_stack: Callable[..., Stack]) -> None:
    settings = {"SERVER_NAMES": "lab.example.org", "CERTIFICATE_FILE": "lab.pem", "KEY_FILE": "lab.key"}
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, **settings)
    pair = University().issue(["lab.example.org"])
    replace_file(stack.certificates / "lab.pem", pair.chain_pem)
    replace_file(stack.certificates / "lab.key", pair.key_pem(), 0o600)
    stack.up()
    log_in_and_run(stack, stack.authority())
    door, before = stack.door_log(), Counter(stack.log().splitlines())
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", stack.port), timeout=20) as connection:
            connection.sendall(greeting_with_odd_name())
            # An alert of TLS, and the end.
            assert connection.recv(1) == b"\x15"
    assert stack.door_log() == door
    assert strangers_lines(Counter(stack.log().splitlines()) - before) == []


def test_a_wrong_guess_is_a_line_all_the_same(stack: Stack, authority: Path) -> None:
    before = stack.log().count("A wrong password")
    assert guess(stack, authority) == 401
    assert poll(lambda: max(0, stack.log().count("A wrong password") - before) or None, wanted="its line") == 1
    assert WRONG not in stack.log()


def test_kernels_have_the_limit_of_files_that_docker_gives(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    limit(stack, 1024, 4096)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        assert client.run("import resource; print(resource.getrlimit(resource.RLIMIT_NOFILE))") == "(1024, 4096)\n"
    limits = "grep 'Max open files' /proc/$(pgrep -P 1 -f entrypoint.{})/limits"
    servers = [stack.shell_of(each)(limits.format(each)) for each in (LAB, KERNELS)]
    for server in (*servers, stack.door_shell(limits.format("door"), user="1000")):
        assert server.split()[3:5] == ["4096", "4096"]


def test_2600_silent_strangers_cost_no_kernel_its_variables(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, MEMORY_LIMIT="230m")
    limit(stack, MOST_FILES, MOST_FILES)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        kernel.run("kept = 3")
        with strangers(stack, "silent", 2_600) as all_came:
            all_came().assert_they_came()
            assert kernel.run("print(kept)") == "3\n"
