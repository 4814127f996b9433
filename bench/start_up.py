"""How long a start takes, from `docker start` to the login page and to JupyterLab: later ones, and the very first."""

from __future__ import annotations

from collections.abc import Sequence

import docker
from docker.models.containers import Container

from bench.contestants import containers_of, peer, workhorse
from bench.login_page import Page, blind, end, start, trusting
from bench.memory import settled_memory
from bench.spread import RUNS, Comparison, interleave, spreads


def warm_starts(ours: Sequence[Container], our_page: Page, theirs: Sequence[Container], their_page: Page) -> Comparison:
    """Starts with kept volumes, until the login page."""
    sides = interleave(lambda: _start_and_end(ours, our_page), lambda: _start_and_end(theirs, their_page))
    return Comparison("warm start", "s", *sides, aim="<= 0.65")


def _start_and_end(containers: Sequence[Container], page: Page) -> float:
    seconds = start(containers, page)
    end(containers)
    return seconds


def starts_to_jupyterlab(
    ours: Sequence[Container], our_page: Page, theirs: Sequence[Container], their_page: Page
) -> list[Comparison]:
    """The same until JupyterLab itself answers who is logged in, and the memory that each side holds then."""
    runs = [(_start_and_weigh(ours, our_page), _start_and_weigh(theirs, their_page)) for _ in range(RUNS)]
    seconds = spreads([(our[0], their[0]) for our, their in runs])
    mebibytes = spreads([(our[1], their[1]) for our, their in runs])
    return [
        Comparison("warm start, to JupyterLab", "s", *seconds),
        Comparison("idle memory, until a page is opened", "MiB", *mebibytes, aim="<= 1.25", decimals=1),
    ]


def _start_and_weigh(containers: Sequence[Container], page: Page) -> tuple[float, float]:
    seconds = start(containers, page)
    memory = settled_memory(containers)
    end(containers)
    return seconds, memory


def first_starts(client: docker.DockerClient) -> Comparison:
    """Starts with fresh volumes: keys, certificates, password hash and virtual environment are made."""
    seconds = spreads([(_first_start(client), _first_start_of_peer(client)) for _ in range(RUNS)])
    return Comparison("first start", "s", *seconds, aim="<= 0.80")


def _first_start(client: docker.DockerClient) -> float:
    with workhorse() as stack:
        containers = containers_of(client, stack)
        seconds = start(containers, Page(stack.port, blind()))
        if not Page(stack.port, trusting(containers[0])).answers():
            raise RuntimeError("the certificate of the first start doesn't verify")
        return seconds


def _first_start_of_peer(client: docker.DockerClient) -> float:
    with peer(client) as (container, port):
        return start([container], Page(port))
