"""How long a start takes, from `docker start` to the login page: later ones, and the very first."""

from __future__ import annotations

import docker
from docker.models.containers import Container

from bench.contestants import peer, workhorse
from bench.login_page import LoginPage, blind, end, start, trusting
from bench.memory import settled_memory
from bench.spread import RUNS, Comparison, spreads


def warm_starts(ours: Container, our_page: LoginPage, theirs: Container, their_page: LoginPage) -> list[Comparison]:
    """Starts with kept volumes, and the memory that each server holds after its first page."""
    runs = [(_start_and_weigh(ours, our_page), _start_and_weigh(theirs, their_page)) for _ in range(RUNS)]
    seconds = spreads([(our[0], their[0]) for our, their in runs])
    mebibytes = spreads([(our[1], their[1]) for our, their in runs])
    return [
        Comparison("warm start", "s", *seconds, aim="<= 0.65"),
        Comparison("idle memory", "MiB", *mebibytes, decimals=1),
    ]


def _start_and_weigh(container: Container, page: LoginPage) -> tuple[float, float]:
    seconds = start(container, page)
    memory = settled_memory(container)
    end(container)
    return seconds, memory


def first_starts(client: docker.DockerClient) -> Comparison:
    """Starts with fresh volumes: keys, certificates, password hash and virtual environment are made."""
    seconds = spreads([(_first_start(client), _first_start_of_peer(client)) for _ in range(RUNS)])
    return Comparison("first start", "s", *seconds, aim="<= 0.80")


def _first_start(client: docker.DockerClient) -> float:
    with workhorse() as stack:
        container = client.containers.get(stack.container.id or "")
        seconds = start(container, LoginPage(stack.port, blind()))
        if not LoginPage(stack.port, trusting(container)).answers():
            raise RuntimeError("the certificate of the first start doesn't verify")
        return seconds


def _first_start_of_peer(client: docker.DockerClient) -> float:
    with peer(client) as (container, port):
        return start(container, LoginPage(port))
