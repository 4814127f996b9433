"""A download of a gigabyte, beside nginx with the same key and file: each straight from its container's address."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import docker
from docker.models.containers import Container

from bench.contestants import containers_of, run_inside, workhorse
from bench.files import processor_seconds
from bench.guessing import login_cookies
from bench.spread import Comparison, spreads
from bench.table import comparison_table
from bench.tls import NGINX_IMAGE, PORT, build_nginx, started

BYTES, NAME = 10**9, "gigabyte.bin"
RUNS = 3
SECONDS = 300


@dataclass(frozen=True)
class Source:
    """Where the file comes from.

    Args:
        containers: What works for it, the one that is asked first.
        port: In the address, by which the server knows itself.
    """

    containers: tuple[Container, ...]
    authority: Path
    port: int = PORT
    cookies: str = ""

    def download(self) -> tuple[float, float]:
        """Seconds, and those of processors, all containers' together."""
        before = sum(map(processor_seconds, self.containers))
        seconds = self._curl()
        return seconds, sum(map(processor_seconds, self.containers)) - before

    def _curl(self) -> float:
        site = f"https://localhost:{self.port}"
        there = f"localhost:{self.port}:{address(self.containers[0])}:{PORT}"
        command = ["curl", "-sSf", "-o", "/dev/null", "-w", "%{size_download} %{time_total}", "--connect-to", there]
        command += ["--cacert", str(self.authority), "-H", "@-", f"{site}/files/{NAME}"]
        # A download that another page asks for, or nobody knows which, is refused.
        headers = f"Cookie: {self.cookies}\nReferer: {site}/lab\n"
        done = subprocess.run(command, input=headers, capture_output=True, text=True, check=True, timeout=SECONDS)
        size, seconds = done.stdout.split()
        if int(size) != BYTES:
            raise RuntimeError(f"{size} bytes came of {BYTES}")
        return float(seconds)


def address(container: Container) -> str:
    container.reload()
    networks = container.attrs["NetworkSettings"]["Networks"].values()
    return str(next(iter(networks))["IPAddress"])


@contextmanager
def sources(client: docker.DockerClient) -> Iterator[tuple[Source, Source]]:
    build_nginx()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        compose = stack.enter_context(workhorse())
        # Without blocks on the disk, which is none of what is compared.
        with (compose.repositories / NAME).open("wb") as file:
            file.truncate(BYTES)
        compose.up()
        door, lab, _ = containers_of(client, compose)
        authority, pem = compose.authority(), run_inside(door, ["cat", "/var/lib/workhorse/tls/server.pem"])
        cookies = login_cookies(f"https://localhost:{compose.port}", authority)
        with (folder / NAME).open("wb") as file:
            file.truncate(BYTES)
        volumes = {str(folder): {"bind": "/srv/files", "mode": "ro"}}
        nginx = stack.enter_context(started(client, NGINX_IMAGE, pem.encode(), volumes=volumes))
        yield Source((door, lab), authority, compose.port, cookies), Source((nginx,), authority)


def downloads(client: docker.DockerClient) -> list[Comparison]:
    with sources(client) as (ours, nginx):
        pairs = [(ours.download(), nginx.download()) for _ in range(RUNS)]
    name = "a download of 1 GB, beside nginx"
    return [
        Comparison(name, "s", *spreads([(our[0], their[0]) for our, their in pairs])),
        Comparison(f"{name}, CPU", "s", *spreads([(our[1], their[1]) for our, their in pairs])),
    ]


if __name__ == "__main__":
    print(comparison_table(downloads(docker.from_env())))
