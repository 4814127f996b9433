"""Heavy loads where kernels have 1 GB: each server survives, and says what became of the work; no other notices."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import websocket

from entrypoint.files.places import Places
from tests.browser.lab import write_notebook
from tests.clients import SECONDS, Client, Kernel
from tests.conftest import PASSWORD
from tests.stack.test_faults import MEGABYTE, texts_until_restarted
from tests.stack.test_walls import SERVERS
from tests.stacks import DOOR, KERNELS, LAB, SERVICES, Stack, new_stack, poll, running

# Each of Jupyter's servers takes 70 MB after its start, and the door 40.
MEGABYTES_MAX = {DOOR: 200, LAB: 400, KERNELS: 300}
KERNEL_MEGABYTES_MAX = 200
PRINTED_MEGABYTES = 100
UPLOADED_MEGABYTES = 1024
# As JupyterLab uploads what is larger than 1 MB (packages/filebrowser/src/model.ts, CHUNK_SIZE).
CHUNK = MEGABYTE
SOCKETS, RUNNING = 500, 5
# Well within the server's patience with who answers no ping, however long it takes to open all of them.
READ_EVERY_SECONDS = 20
FILES = 10_000
ENDLESS_SECONDS = 10
BOMB = "whole = b'x' * 2_000_000_000"
# Goes off once it is told to, by a file of that name.
WAITING_BOMB = (
    """
import os, time
while not os.path.exists('/repositories/{go}'):
    time.sleep(0.1)
"""
    + BOMB
)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """In the place of the usual one: with little memory."""
    with running(new_stack(tmp_path_factory.mktemp("stack"), JUPYTER_PASSWORD=PASSWORD, MEMORY_LIMIT="1g")) as stack:
        yield stack


@pytest.fixture(autouse=True)
def servers(stack: Stack) -> Iterator[None]:
    """Sees to it that the server processes live on, and that none takes more memory than it should."""
    found = {service: look_at(stack, service) for service in SERVICES}
    yield
    for service, before in found.items():
        after = look_at(stack, service)
        print(f"the peak of {service}: {after.megabytes} MB, {before.megabytes} MB before")
        assert (after.started_at, after.process) == (before.started_at, before.process)
        assert after.megabytes < MEGABYTES_MAX[service]


@dataclass(frozen=True)
class Server:
    """A process, when it was started, and the most memory that it has had."""

    process: str
    started_at: str
    megabytes: int


def look_at(stack: Stack, service: str) -> Server:
    shell = stack.shell_of(service)
    process = shell(f"pgrep -P 1 -f {SERVERS[service]}").strip()
    started, status = shell(f"cut -d ' ' -f 22 /proc/{process}/stat; cat /proc/{process}/status").split("\n", 1)
    return Server(process, started, peak_megabytes(status))


def peak_megabytes(status: str) -> int:
    """The most memory that a process has had, by its status in /proc."""
    peak = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert peak
    return int(peak[1]) // 1024


def test_a_kernel_out_of_memory_is_told_so_and_runs_again(stack: Stack, client: Client) -> None:
    kernel, other = client.start_kernel(), client.start_kernel()
    other.run("x = 'kept'")
    kernel.send(BOMB)
    told = texts_until_restarted(kernel)
    assert "Killed for memory" in told
    assert "1.0 GiB (MEMORY_LIMIT in .env)" in told
    assert kernel.run("print(6 * 7)") == "42\n"
    assert other.run("print(x)") == "kept\n"
    stack.told("Killed for memory: all notebooks together may take 1.0 GiB")
    # Whatever ends the other kernel later was not that.
    other.send("import os; os.kill(os.getpid(), 11)")
    assert "memory" not in texts_until_restarted(other)
    kernel.shut_down()
    other.shut_down()


# Ends the kernel by a segmentation fault as soon as another process of the container is killed for memory.
SEGFAULT_BESIDE = """
import os, pathlib, time
def kills():
    files = map(pathlib.Path, ("/sys/fs/cgroup/memory.events", "/sys/fs/cgroup/memory/memory.oom_control"))
    return next(file.read_text() for file in files if file.exists()).split("oom_kill ")[1].split()[0]
before = kills()
print("watching")
while kills() == before: time.sleep(0.01)
os.kill(os.getpid(), 11)
"""


def test_a_segfault_beside_a_kernel_out_of_memory_is_not_told_as_memory(stack: Stack, client: Client) -> None:
    kernel, other = client.start_kernel(), client.start_kernel()
    other.send(SEGFAULT_BESIDE)
    poll(lambda: "watching" in str(other.receive(SECONDS)) or None, wanted="the other kernel")
    kernel.send(BOMB)
    assert "memory" not in texts_until_restarted(other)
    assert "Killed for memory" in texts_until_restarted(kernel)
    assert f"{other.id}: Killed for memory" not in stack.log()
    kernel.shut_down()
    other.shut_down()


def leave_with_a_bomb(stack: Stack, kernel: Kernel, go: str, cell: str = "") -> str:
    """Has a kernel run out of memory once nobody is there; returns the id of the request."""
    request = kernel.send(WAITING_BOMB.format(go=go), cell)
    # What is sent and left at once may never be heard.
    poll(lambda: kernel.receive(SECONDS)["parent_header"].get("msg_id") == request or None, wanted="a cell that runs")
    kernel.socket.close()
    (stack.repositories / go).touch()
    return request


def test_a_kernel_out_of_memory_is_told_to_whoever_comes_first_if_nobody_was_there(
    stack: Stack, client: Client
) -> None:
    kernel, name = client.start_kernel(), client.kernel_names()["python3"]
    request = leave_with_a_bomb(stack, kernel, "go-1")
    line = f"Kernel '{name}' {kernel.id}: Killed for memory: all notebooks together may take 1.0 GiB"
    stack.told(line)
    told = dict(shown(Kernel(client, kernel.id)))
    assert "Killed for memory" in told[request]
    # It is said once.
    assert "Killed for memory" not in str(shown(Kernel(client, kernel.id)))
    assert stack.log().count(f"{kernel.id}: Killed for memory") == 1
    client.api("DELETE", f"kernels/{kernel.id}")


def shown(kernel: Kernel, seconds: float = 60) -> list[tuple[str, str]]:
    """Every text that a new connection shows until it has run a cell, after the request that it belongs to."""
    texts, asked, deadline = list[tuple[str, str]](), {kernel.send("print(6 * 7)")}, time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            message = kernel.receive(1)
        except websocket.WebSocketTimeoutException:
            # What is asked of a kernel that is just being restarted may be lost, or its answer.
            asked |= {kernel.send("print(6 * 7)")}
            continue
        of = message["parent_header"].get("msg_id", "")
        texts += [(of, message["content"]["text"])] if message["msg_type"] == "stream" else []
        if of in asked and message["content"].get("execution_state") == "idle":
            kernel.socket.close()
            return texts
    raise TimeoutError(f"waited {seconds} s for a kernel that answers")


def test_temporary_files_of_more_than_the_memory_harm_nobody(client: Client) -> None:
    kernel, other = client.start_kernel(), client.start_kernel()
    other.run("x = 'kept'")
    write = "with open('/tmp/big', 'wb') as file:\n  for _ in range(1400): file.write(bytes(2**20))\nprint('written')"
    assert kernel.run(write) == "written\n"
    assert client.run("print(6 * 7)") == "42\n"
    assert other.run("print(x)") == "kept\n"
    assert kernel.run("import os; os.unlink('/tmp/big')") == ""
    kernel.shut_down()
    other.shut_down()


def test_a_kernel_out_of_memory_is_told_what_else_took_it(client: Client) -> None:
    name = client.kernel_names()["python3"]
    kernel, other, third = client.start_kernel(), client.start_kernel(), client.start_kernel()
    other.run("x = b'x' * 200_000_000")
    assert third.run("open('/dev/shm/left', 'wb').write(bytes(300_000_000)); print('left')").endswith("left\n")
    kernel.send(BOMB)
    told = texts_until_restarted(kernel)
    assert "(MEMORY_LIMIT in .env), most of which was taken already." in told
    assert "Files in /dev/shm hold 0.3 GiB of it, until they are deleted: ls -l /dev/shm" in told
    assert f"The kernel '{name}' (process {other.run('import os; print(os.getpid())').strip()}) holds 0.2 GiB" in told
    third.run("import os; os.unlink('/dev/shm/left')")
    for each in (kernel, other, third):
        each.shut_down()


def test_what_lies_in_memory_besides_the_kernels_is_bounded(stack: Stack) -> None:
    assert in_memory(stack.shell) == {"/run/workhorse": 16, "/run/kernels": 1}
    assert in_memory(stack.lab_shell) == {"/run/workhorse": 16, "/run/lab": 1, "/tmp": 256}
    assert in_memory(stack.door_shell) == {"/run/workhorse": 16, "/run/lab": 1, "/run/kernels": 1, "/tmp": 64}
    assert stack.kernels.attrs["HostConfig"]["ShmSize"] == 2**30


def in_memory(shell: Callable[[str], str]) -> dict[str, int]:
    """The folders of a container that lie in memory, and how many megabytes each may take."""
    mounts = [line.split() for line in shell("df --output=target,size,fstype -B1M | grep tmpfs").splitlines()]
    return {place: int(size) for place, size, _ in mounts if not place.startswith(("/dev", "/proc", "/sys"))}


def test_the_limit_is_one_with_swap(stack: Stack) -> None:
    host = stack.kernels.attrs["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 2**30
    # What people open and save takes nothing of it.
    assert stack.lab.attrs["HostConfig"]["Memory"] == 0


def test_a_kernel_that_prints_100_mb_leaves_both_servers_and_the_kernel_alive(client: Client) -> None:
    kernel = client.start_kernel()
    line = "x" * 999
    shown = kernel.run(f"for _ in range({PRINTED_MEGABYTES * 1000}): print({line!r})", 120)
    assert "IOPub data rate exceeded" in shown
    assert len(shown) < PRINTED_MEGABYTES * MEGABYTE / 10
    assert kernel.run("print(6 * 7)") == "42\n"
    kernel.shut_down()


class Reader:
    """Answers what the server asks of websockets that nobody listens to, now and then."""

    def __init__(self) -> None:
        self.read_at = time.monotonic()

    def read(self, kernels: list[Kernel]) -> None:
        if time.monotonic() - self.read_at >= READ_EVERY_SECONDS:
            for kernel in kernels:
                kernel.answer_pings()
            self.read_at = time.monotonic()


def test_500_websockets_are_served(client: Client) -> None:
    # Jupyter's own cost of the n-th websocket to one kernel grows with n, so there are several.
    reader, kernels = Reader(), [client.start_kernel() for _ in range(RUNNING)]
    for _ in range(SOCKETS // RUNNING - 1):
        for kernel in kernels:
            Kernel(client, kernel.id)
        reader.read(client.kernels)
    connections = [client.api("GET", f"kernels/{kernel.id}")["connections"] for kernel in kernels]
    assert connections == [SOCKETS // RUNNING] * RUNNING
    for number, kernel in enumerate(client.kernels[-RUNNING:]):
        assert kernel.run(f"print({number})") == f"{number}\n"
    while len(client.kernels) > RUNNING:
        client.kernels.pop().socket.close()
        reader.read(client.kernels)
    poll(
        lambda: all(client.api("GET", f"kernels/{kernel.id}")["connections"] == 1 for kernel in kernels) or None,
        wanted="closed websockets",
    )
    for kernel in kernels:
        assert kernel.run("print(6 * 7)") == "42\n"
        kernel.shut_down()


def test_an_upload_of_1_gb_in_chunks_arrives_whole(stack: Stack, client: Client) -> None:
    block, sent = os.urandom(CHUNK), hashlib.sha256()
    for number in range(1, UPLOADED_MEGABYTES + 1):
        content = bytes([number % 256]) + block[1:]
        sent.update(content)
        client.api(
            "PUT", "contents/upload.bin", type="file", format="base64", name="upload.bin", path="upload.bin",
            chunk=number if number < UPLOADED_MEGABYTES else -1, content=base64.b64encode(content).decode(),
        )  # fmt: skip
    file = stack.repositories / "upload.bin"
    assert file.stat().st_size == UPLOADED_MEGABYTES * MEGABYTE
    assert hash_of(file) == sent.hexdigest()
    file.unlink()


def hash_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def test_a_folder_of_10_000_files_is_listed_whole(stack: Stack, client: Client) -> None:
    folder = stack.repositories / "many"
    folder.mkdir()
    for number in range(FILES):
        (folder / f"{number}.txt").touch()
    listed = client.api("GET", "contents/many")["content"]
    assert {entry["name"] for entry in listed} == {f"{number}.txt" for number in range(FILES)}


@pytest.mark.parametrize(("length", "option"), [(200, "flush=True"), (100_000, "flush=True"), (10, "flush=False")])
def test_a_cell_that_prints_without_end_while_nobody_looks_takes_bounded_room(
    client: Client, stack: Stack, length: int, option: str
) -> None:
    notebook = stack.repositories / f"endless-{length}.ipynb"
    code = f"import itertools\nfor n in itertools.count():\n    print(f'{{n:09}}', 'x' * {length}, {option})"
    write_notebook(notebook, code)
    kernel = kernel_of(client, notebook)
    kernel.send(code, "code-0")
    poll(lambda: kernel.receive(SECONDS)["msg_type"] == "stream" or None, wanted="a line")
    kernel.socket.close()
    time.sleep(ENDLESS_SECONDS)
    assert client.run("print(1 + 1)") == "2\n"
    kept = f"du -cb {Places().runs}/* | tail -n 1"
    assert int(stack.compose("exec", "-T", KERNELS, "sh", "-c", kept).stdout.split()[0]) < 8 * MEGABYTE
    taken = peak_megabytes(stack.shell(f"cat /proc/$(pgrep -f '[k]ernel-{kernel.id}')/status"))
    print(f"the peak of the kernel: {taken} MB")
    assert taken < KERNEL_MEGABYTES_MAX
    client.api("POST", f"kernels/{kernel.id}/interrupt")
    text, error = poll(lambda: outputs_of(notebook), seconds=8 * SECONDS, wanted="the outputs in the notebook")
    lines = "".join(text["text"]).splitlines()
    (note,) = (line for line in lines if "left out" in line)
    begin, end = lines[: lines.index(note)], lines[lines.index(note) + 1 :]
    # Of long lines pieces are kept, and the interrupt may have come in the midst of the last.
    end = end[not end[0][:9].isdigit() : -1]
    printed = f" {'x' * length}"
    assert begin == [f"{n:09}{printed}" for n in range(len(begin))]
    first = int(end[0].split()[0])
    assert end == [f"{n:09}{printed}" for n in range(first, first + len(end))]
    assert error["ename"] == "KeyboardInterrupt"
    client.api("DELETE", f"kernels/{kernel.id}")


def test_a_cell_that_is_killed_for_memory_while_nobody_looks_says_so_in_its_notebook(
    client: Client, stack: Stack
) -> None:
    notebook = write_notebook(stack.repositories / "bomb.ipynb", WAITING_BOMB.format(go="go-2"))
    kernel = kernel_of(client, notebook)
    leave_with_a_bomb(stack, kernel, "go-2", "code-0")
    (told,) = poll(lambda: outputs_of(notebook), seconds=8 * SECONDS, wanted="the outputs in the notebook")
    assert "Killed for memory: all notebooks together may take 1.0 GiB" in "".join(told["text"])
    client.api("DELETE", f"kernels/{kernel.id}")


def kernel_of(client: Client, notebook: Path) -> Kernel:
    session = client.api("POST", "sessions", path=notebook.name, type="notebook", name="", kernel={"name": "python3"})
    return Kernel(client, session["kernel"]["id"])


def outputs_of(notebook: Path) -> list[dict[str, Any]]:
    outputs: list[dict[str, Any]] = json.loads(notebook.read_text())["cells"][0]["outputs"]
    return outputs
