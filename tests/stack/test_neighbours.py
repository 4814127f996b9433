"""One kernel or one disk against all others: they go on, and who waits is told why."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import pytest
import requests

from entrypoint.jupyter.errands import SECONDS as HANGING_SECONDS
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import KERNELS, SERVICES, Stack, poll

MakeStack = Callable[..., Stack]
DISK_MEGABYTES = 64
ROUNDS = 5
PROCESSES, FEW_PROCESSES = 2000, 300


def ask(client: Client, method: str, path: str, /, **body: Any) -> requests.Response:
    """Like `Client.api`, for what is to be refused or takes long."""
    # Downloads are for the server's own pages.
    headers = {"X-XSRFToken": client.session.cookies.get("_xsrf", ""), "Referer": client.url}
    url = f"{client.url}/{path}"
    return client.session.request(method, url, json=body or None, headers=headers, timeout=HANGING_SECONDS + 30)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of its own, which can be frozen."""
    if os.getuid() != 0 or not shutil.which("fsfreeze") or not Path("/dev/loop-control").exists():
        pytest.skip("only root may mount and freeze a file system")
    image, folder = tmp_path / "image", tmp_path / "disk"
    with image.open("wb") as file:
        file.truncate(DISK_MEGABYTES << 20)
    folder.mkdir()
    subprocess.run(["mkfs.ext4", "-q", image], check=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    os.chown(folder, 1000, 1000)
    yield folder
    subprocess.run(["umount", folder], check=True)


@contextmanager
def frozen(folder: Path) -> Iterator[None]:
    subprocess.run(["fsfreeze", "-f", folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["fsfreeze", "-u", folder], check=True)


def save(client: Client, name: str, text: str) -> requests.Response:
    return ask(client, "PUT", f"api/contents/{name}", type="file", format="text", content=text)


def test_a_disk_that_hangs_holds_up_nobody_else(disk: Path, own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, REPOSITORIES=str(disk))
    stack.up()
    with Client(stack.url, stack.authority()) as client, ThreadPoolExecutor(40) as people:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        assert save(client, "old.txt", "old").status_code == 201
        with frozen(disk):
            writes: list[Callable[[], requests.Response]] = [
                lambda: save(client, "old.txt", "first"),
                lambda: save(client, "new.txt", "new"),
                lambda: ask(client, "POST", "api/contents/old.txt/checkpoints"),
                lambda: ask(client, "POST", "api/contents", copy_from="old.txt"),
                lambda: ask(client, "PATCH", "api/contents/old.txt", path="renamed.txt"),
                lambda: ask(client, "DELETE", "api/contents/old.txt"),
                *[lambda number=number: save(client, f"{number}.txt", "") for number in range(30)],
            ]
            waiting = [people.submit(write) for write in writes]
            for _ in range(ROUNDS):
                assert kernel.run("print(6 * 7)") == "42\n"
                assert requests.get(f"{stack.url}/health", verify=str(client.authority), timeout=9).text == "ok\n"
                with Client(stack.url, client.authority) as other:
                    assert other.login(PASSWORD).status_code == 302
            assert not any(answer.done() for answer in waiting)
            for answer in waiting:
                assert answer.result().status_code == 503
                assert f"has not answered for {HANGING_SECONDS:g} seconds" in answer.result().json()["message"]
            for container in map(stack.container_of, SERVICES):
                assert container.attrs["State"]["Health"]["Status"] == "healthy"
        poll(lambda: save(client, "old.txt", "last").ok or None, wanted="a disk that answers again")
        assert (disk / "old.txt").read_text() == "last"


@pytest.fixture
def odd(stack: Stack, tmp_path: Path) -> Iterator[list[str]]:
    """Names in the notebooks' folder that are no files."""
    folder = "odd"
    make = (
        f"import os, socket; os.makedirs('/repositories/{folder}/in'); os.chdir('/repositories/{folder}'); "
        "os.mkfifo('pipe.ipynb'); os.mkfifo('in/pipe'); socket.socket(socket.AF_UNIX).bind('socket.txt'); "
        "os.symlink('/dev/zero', 'zero.txt'); os.symlink('/dev/zero', 'in/zero'); os.symlink('pipe.ipynb', 'link.txt')"
    )
    stack.shell(f'/opt/server/bin/python -c "{make}"')
    yield [f"{folder}/{name}" for name in ("pipe.ipynb", "socket.txt", "zero.txt", "link.txt")]
    shutil.rmtree(stack.repositories / folder)


def test_what_is_no_file_is_refused_and_holds_up_nobody(stack: Stack, client: Client, odd: list[str]) -> None:
    for path in odd:
        for answer in (
            save(client, path, "x"),
            ask(client, "PUT", f"api/contents/{path}", type="file", format="text", content="x", chunk=1),
            ask(client, "PUT", f"api/contents/{path}", type="file", format="text", content="x", chunk=2),
            ask(client, "GET", f"api/contents/{path}"),
            ask(client, "GET", f"api/contents/{path}?hash=1&content=0"),
            ask(client, "POST", "api/contents/odd", copy_from=path),
            ask(client, "POST", f"api/contents/{path}/checkpoints"),
            ask(client, "GET", f"files/{path}"),
            ask(client, "HEAD", f"files/{path}"),
            ask(client, "GET", f"nbconvert/html/{path}"),
        ):
            assert 400 <= answer.status_code < 500, (path, answer.request.method, answer.url, answer.text)
            # Or it had been waited for as for a disk.
            assert answer.elapsed.total_seconds() < HANGING_SECONDS
    assert "is a pipe, not a file" in save(client, "odd/pipe.ipynb", "x").json()["message"]
    copied = ask(client, "POST", "api/contents", copy_from="odd/in")
    assert copied.status_code == 400
    assert "zero is a device, not a file" in copied.json()["message"]
    # A name can be changed and deleted whatever it names.
    assert ask(client, "PATCH", "api/contents/odd/pipe.ipynb", path="odd/other").status_code == 200
    assert ask(client, "DELETE", "api/contents/odd/other").status_code == 204
    assert {entry["name"] for entry in client.api("GET", "contents/odd")["content"]} >= {"in"}


def test_downloads_are_whole_in_part_and_only_if_changed(stack: Stack, client: Client) -> None:
    content = os.urandom(3_000_000)
    (stack.repositories / "file.bin").write_bytes(content)
    url = f"{stack.url}/files/file.bin"
    client.session.headers["Referer"] = stack.url
    whole = client.session.get(url, timeout=30)
    assert (whole.content, whole.headers["Content-Length"]) == (content, "3000000")
    part = client.session.get(url, headers={"Range": "bytes=1000000-2999998"}, timeout=30)
    assert (part.status_code, part.content) == (206, content[1_000_000:2_999_999])
    last = client.session.get(url, headers={"Range": "bytes=-5"}, timeout=30)
    assert (last.status_code, last.content) == (206, content[-5:])
    assert client.session.get(url, headers={"Range": "bytes=3000000-"}, timeout=30).status_code == 416
    since = {"If-Modified-Since": whole.headers["Last-Modified"]}
    assert client.session.get(url, headers=since, timeout=30).status_code == 304
    head = client.session.head(url, timeout=30)
    assert (head.status_code, head.headers["Content-Length"], head.content) == (200, "3000000", b"")
    for path in ("missing", "..%2Fetc%2Fpasswd"):
        assert client.session.get(f"{stack.url}/files/{path}", timeout=30).status_code in (403, 404)


USE_UP = """
import threading
try:
    while True: threading.Thread(target=threading.Event().wait, daemon=True).start()
except RuntimeError as error: print(error)
"""


def test_a_kernel_that_uses_up_the_processes_leaves_the_servers_their_own(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.override(KERNELS, f"pids_limit: {PROCESSES}")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        assert kernel.run(USE_UP) == "can't start new thread\n"
        for _ in range(20):
            with Client(stack.url, client.authority) as other:
                assert other.login(PASSWORD).status_code == 302
                assert [each["name"] for each in other.api("GET", "contents")["content"]] in ([], ["a.txt"])
                assert save(other, "a.txt", "saved").ok
        assert stack.url.rpartition(":")[2] in stack.workhorse("status")
        assert stack.workhorse("healthcheck") == "The server answers.\n"
        check = ["/opt/server/bin/python", "-I", "-m", "entrypoint.kernels.healthcheck"]
        assert stack.compose("exec", "-T", KERNELS, *check).stdout == "Jupyter answers.\n"
        kernel.shut_down()
        assert client.run("print(6 * 7)") == "42\n"


def test_the_door_and_its_status_answer_where_kernels_have_no_process_left(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.override(KERNELS, f"pids_limit: {FEW_PROCESSES}")
    stack.up()
    code = "import os, time\nwhile True:\n  try: os.fork() or time.sleep(1e5)\n  except OSError: time.sleep(1e5)"
    # Past the limit of kernels and terminals, by Docker's own way in.
    stack.compose("exec", "-d", "-u", "1000", KERNELS, "python", "-c", code)
    poll(lambda: processes(stack) >= FEW_PROCESSES or None, wanted="the end of the processes")
    assert "  Workhorse\n" in stack.workhorse("status")
    # Nor has it a share in what kernels may start.
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302


def processes(stack: Stack) -> int:
    """How many the kernels' service has, as the system counts them: asked from outside, where one more can start."""
    stats = cast(dict[str, Any], stack.container_of(KERNELS).stats(stream=False))
    return int(stats["pids_stats"]["current"])


SPIN = "import os\nos.fork(); os.fork()\nwhile True: pass"
HOARD = "held = []\nwhile True: held.append(b'x' * (32 << 20))"
# A few seconds of one processor's.
COMPUTE = "print(sum(number * number for number in range(40_000_000)))"
PATIENCE_SECONDS = 240


def test_who_takes_all_memory_processes_and_processors_leaves_the_other_person_theirs(own_stack: MakeStack) -> None:
    ada = own_stack(JUPYTER_PASSWORD=PASSWORD, MEMORY_LIMIT="512m")
    ada.override(KERNELS, f"pids_limit: {PROCESSES}")
    bob = own_stack(JUPYTER_PASSWORD=PASSWORD)
    for stack in (ada, bob):
        stack.up()
    with Client(ada.url, ada.authority()) as greedy, Client(bob.url, bob.authority()) as other:
        assert greedy.login(PASSWORD).status_code == 302
        assert other.login(PASSWORD).status_code == 302
        takes, kept = greedy.start_kernel(), other.start_kernel()
        kept.run("kept = 6 * 7")
        hoarder = ada.compose("exec", "-T", "-u", "1000", KERNELS, "python", "-c", HOARD, check=False)
        assert hoarder.returncode == 137
        ada.compose("exec", "-d", "-u", "1000", KERNELS, "python", "-c", SPIN)
        assert takes.run(USE_UP, PATIENCE_SECONDS) == "can't start new thread\n"
        before = [cpu_seconds(stack) for stack in (ada, bob)]
        assert kept.run(COMPUTE, PATIENCE_SECONDS) == "21333332533333340000000\n"
        taken, left = (cpu_seconds(stack) - start for stack, start in zip((ada, bob), before, strict=True))
        print(f"{taken:.1f} s of processors for one, {left:.1f} s for the other")
        assert left > taken / 3
        assert kept.run("held = bytearray(600 << 20); print(kept, len(held) >> 20)", PATIENCE_SECONDS) == "42 600\n"
        assert save(other, "a.txt", "saved").ok
        assert not bob.kernels.attrs["State"]["OOMKilled"]


def cpu_seconds(stack: Stack) -> float:
    """What everything has taken that runs where a stack's kernels do."""
    # Otherwise Docker takes two seconds, in which whoever is asked first takes more.
    told = cast("dict[str, Any]", stack.kernels.stats(stream=False, one_shot=True))
    return float(told["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9
