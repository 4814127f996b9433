"""Measures Workhorse beside a plain JupyterLab: start, memory, health check, guesses, size. It judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import docker
from docker.models.containers import Container

from bench.contestants import build_peer, locked_version, peer, variant, workhorse
from bench.guessing import kernel_trips
from bench.health import an_hour_of, health_checks
from bench.login_page import LoginPage, end, start, trusting
from bench.preparation import preparation_seconds
from bench.size import REMARK, image_size
from bench.spread import RUNS, Comparison, Spread
from bench.start_up import first_starts, warm_starts
from bench.table import comparison_table, table
from bench.tls import tls_connections
from tests.stacks import IMAGE

NOTES = """\
A start counts from Docker's API to the login page; Workhorse's password is set, so each start verifies it.
Idle memory: the cgroup's less inactive file cache, after one login page. A health check's CPU: all of the cgroup's,
the server's answer too; an hour holds 120 of Workhorse's and 1200 of the Jupyter Docker Stacks' (requests, every 3 s).
A kernel's round trip: a person who is logged in asks it to run nothing, 100 times a run, or for 8 s where that takes
longer; each run without guesses is followed by one with. The guesses come from one process, over 16 connections, to
a peer that has a password too; who waits for an answer guesses no more meanwhile.
A TLS connection's CPU: all of the cgroup's from acceptance to end, handshake alone, 200 connections a run; the peer is
then a plain Jupyter with certfile and keyfile (RSA 2048), which resumes none, or nginx with Workhorse's own key.
"""


def main() -> None:
    client = docker.from_env()
    build_peer()
    print(introduction(), flush=True)
    with both(client) as (ours, our_page, theirs, their_page):
        comparisons = warm_starts(ours, our_page, theirs, their_page)
        preparation, bare = preparation_seconds(client, ours)
        checks = with_servers(client, ours, our_page, theirs, their_page)
    comparisons.insert(1, first_starts(client))
    print(comparison_table([*comparisons, checks, an_hour_of(checks), *kernel_trips(client), *tls_connections(client)]))
    print(NOTES + "\nWhere a warm start goes\n" + warm_start_parts(comparisons[0].ours, preparation, bare))
    print("\nThe image\n" + table(image_size(client, IMAGE)) + f"\n{REMARK}")
    client.close()


def introduction() -> str:
    lab, server = locked_version("jupyterlab"), locked_version("jupyter-server")
    return (
        f"The peer is jupyterlab {lab} with jupyter-server {server} as pip installs them on the same base image,\n"
        "over plain HTTP with a token, while Workhorse answers over TLS with a certificate that is verified.\n"
        f"Each figure is of {RUNS} runs, by turns with the peer's.\n"
    )


@contextmanager
def both(client: docker.DockerClient) -> Iterator[tuple[Container, LoginPage, Container, LoginPage]]:
    """Workhorse and the peer, stopped, after a first start each, which fills volumes and file caches."""
    with workhorse() as stack, peer(client) as (theirs, their_port):
        stack.up()
        ours = client.containers.get(stack.container.id or "")
        our_page, their_page = LoginPage(stack.port, trusting(ours)), LoginPage(their_port)
        start(theirs, their_page)
        end(ours)
        end(theirs)
        yield ours, our_page, theirs, their_page


def with_servers(
    client: docker.DockerClient, model: Container, our_page: LoginPage, theirs: Container, their_page: LoginPage
) -> Comparison:
    """The health checks, on both servers running."""
    with ExitStack() as stack:
        ours = stack.enter_context(variant(client, model))
        start(ours, our_page)
        start(theirs, their_page)
        return health_checks(ours, theirs)


def warm_start_parts(whole: Spread, preparation: Spread, bare: Spread) -> str:
    """The parts of a start, each with its share: Docker's, Workhorse's own, Jupyter's."""
    server = whole.median - preparation.median - bare.median
    rows = [
        ("Docker, with nothing in the container", bare.text(2), bare.median),
        ("Workhorse's preparation", preparation.text(2), preparation.median),
        ("the server until it answers (what remains)", f"{server:.2f}", server),
    ]
    return table([(name, f"{text} s", f"{part / whole.median:.0%}") for name, text, part in rows])


if __name__ == "__main__":
    main()
