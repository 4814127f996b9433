"""Many files and large ones: what a listing costs, and how long others wait while 50 MB are saved or opened."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

import docker
import requests
from docker.models.containers import Container

from bench.contestants import PEER_TOKEN, peer, run_inside, workhorse
from bench.guessing import cookies_of, logged_in
from bench.login_page import HOST, Page, start
from bench.memory import stats
from bench.spread import Comparison, interleave
from bench.table import comparison_table

MANY, MOST = 10_000, 100_000
MEGABYTES = 50
# In as many parts as long tables have.
OUTPUTS = 2_000
RUNS = 3
SECONDS = 300
PAGE_S_OWN = {"Sec-Fetch-Site": "same-origin"}


def processor_seconds(container: Container) -> float:
    return float(stats(container)["cpu_stats"]["cpu_usage"]["total_usage"]) / 1e9


@dataclass(frozen=True)
class Side:
    """A server with its files, and whoever is logged in to it."""

    url: str
    session: requests.Session
    container: Container

    def ask(self, path: str) -> requests.Response:
        answer = self.session.get(f"{self.url}/api/{path}", headers=PAGE_S_OWN, timeout=SECONDS)
        answer.raise_for_status()
        return answer

    def cpu_seconds_of_a_listing(self, folder: str, files: int) -> float:
        before = processor_seconds(self.container)
        assert len(self.ask(f"contents/{folder}?content=1").json()["content"]) == files
        return processor_seconds(self.container) - before

    def wait_while_saved(self) -> float:
        return self.wait_of_others("-X", "PUT", "--data-binary", "@-", "/api/contents/large.ipynb")

    def wait_while_opened(self) -> float:
        return self.wait_of_others("/api/contents/large.ipynb?type=notebook&content=1")

    def wait_of_others(self, *doing: str) -> float:
        """The longest that somebody else waits for an answer while another process saves or opens."""
        *options, path = doing
        longest = 0.0
        with TemporaryFile() as body, TemporaryFile("w+") as headers:
            body.write(SAVED)
            body.seek(0)
            self.write_headers(headers)
            command = ["curl", "-sSf", "-o", "/dev/null", "-H", f"@/dev/fd/{headers.fileno()}", *options]
            command += ["--cacert", str(self.session.verify)] if self.url.startswith("https") else []
            with subprocess.Popen([*command, self.url + path], stdin=body, pass_fds=[headers.fileno()]) as doer:
                while doer.poll() is None:
                    began = time.perf_counter()
                    self.ask("contents?content=0")
                    longest = max(longest, time.perf_counter() - began)
        if doer.returncode:
            raise RuntimeError(f"curl {options}: status {doer.returncode}")
        return longest

    def write_headers(self, file: IO[str]) -> None:
        token = self.session.cookies.get("_xsrf", "")
        lines = {"Cookie": cookies_of(self.session), "X-XSRFToken": token, "Accept-Encoding": "gzip", **PAGE_S_OWN}
        lines |= {"Authorization": str(self.session.headers.get("Authorization", "")), "Expect": ""}
        lines |= {"Content-Type": "application/json"}
        file.writelines(f"{name}: {value}\n" for name, value in lines.items())
        file.flush()
        file.seek(0)


def notebook() -> dict[str, object]:
    """Of fifty megabytes, in as many outputs as a long table and its pictures have."""
    size = MEGABYTES * 2**20 // OUTPUTS
    line = "0.12345 " * 10 + "\n"
    outputs = [{"output_type": "stream", "name": "stdout", "text": line * (size // len(line))} for _ in range(OUTPUTS)]
    cell = {"cell_type": "code", "id": "a", "metadata": {}, "source": "1", "outputs": outputs, "execution_count": 1}
    return {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}


SAVED = json.dumps({"type": "notebook", "content": notebook()}).encode()


def fill(folder: Path, files: int) -> None:
    folder.mkdir()
    for number in range(files):
        (folder / f"{number}.txt").touch()


@contextmanager
def our_side() -> Iterator[Side]:
    with workhorse() as stack:
        for name, files in (("many", MANY), ("most", MOST)):
            fill(stack.repositories / name, files)
        stack.up()
        with logged_in(stack.url, stack.authority()) as session:
            session.get(f"{stack.url}/api/status", timeout=SECONDS)
            yield Side(stack.url, session, stack.lab)


@contextmanager
def their_side(client: docker.DockerClient) -> Iterator[Side]:
    with peer(client) as (container, port), requests.Session() as session:
        start((container,), Page(port))
        script = "".join(
            f"import os; os.mkdir('/root/{name}')\nfor n in range({files}): open(f'/root/{name}/{{n}}.txt', 'w')\n"
            for name, files in (("many", MANY), ("most", MOST))
        )
        run_inside(container, ["/opt/peer/bin/python", "-c", script])
        session.headers["Authorization"] = f"token {PEER_TOKEN}"
        yield Side(f"http://{HOST}:{port}", session, container)


def files(client: docker.DockerClient) -> list[Comparison]:
    """By turns with the peer, but for the longest listing, of which one run of the peer's takes a minute."""
    with ExitStack() as stack:
        ours, theirs = stack.enter_context(our_side()), stack.enter_context(their_side(client))
        many, most = (
            interleave(
                partial(ours.cpu_seconds_of_a_listing, folder, number),
                partial(theirs.cpu_seconds_of_a_listing, folder, number),
                runs,
            )
            for folder, number, runs in (("many", MANY, RUNS), ("most", MOST, 1))
        )
        saved = interleave(ours.wait_while_saved, theirs.wait_while_saved, RUNS)
        opened = interleave(ours.wait_while_opened, theirs.wait_while_opened, RUNS)
    return [
        Comparison(f"a listing of {MANY:,} files, CPU", "s", *many, aim="<= 0.1"),
        Comparison(f"a listing of {MOST:,} files, CPU", "s", *most),
        Comparison(f"others wait while {MEGABYTES} MB are saved", "s", *saved, aim="ours <= 0.1"),
        Comparison(f"others wait while {MEGABYTES} MB are opened", "s", *opened, aim="ours <= 0.1"),
    ]


if __name__ == "__main__":
    print(comparison_table(files(docker.from_env())))
