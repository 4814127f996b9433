"""Measures Workhorse beside a plain JupyterLab: start, memory, cells, checks, guesses, size. It judges nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import docker
from docker.models.containers import Container

from bench.contestants import PEER_TOKEN, build_peer, containers_of, locked_version, peer, variant, workhorse
from bench.downloads import downloads
from bench.files import files
from bench.guessing import kernel_trips, login_cookies
from bench.health import an_hour_of, health_checks
from bench.login_page import HOST, Page, end, start, trusting
from bench.open_page import open_pages
from bench.preparation import preparation_seconds
from bench.printing import printing
from bench.round_trips import cells
from bench.size import REMARK, image_size
from bench.spread import RUNS, Comparison, Spread
from bench.start_up import first_starts, starts_to_jupyterlab, warm_starts
from bench.table import comparison_table, table
from bench.tls import tls_connections
from bench.visits import visits
from tests.stacks import IMAGE, KERNELS_IMAGE, LAB_IMAGE

NOTES = """\
A start counts from Docker's API to the login page; Workhorse's password is set, so each start verifies it.
Workhorse's three containers start at once; the login page is the door's, which waits for no other.
Idle memory: the cgroups' less inactive file cache, all three together, after JupyterLab's first answer, and until
somebody opens a page or asks for a kernel; ten minutes after the last page and kernel it is so again.
With a page open: the same, at the launcher, and with a notebook whose first cell has run, its kernel's too. A gap: the
longest time between two answers to the page, while Compose re-creates the lab; the peer's container is restarted,
which ends its kernels, while Workhorse's run on.
A health check's CPU: all of the cgroup's, the server's answer too, all three together; an hour holds 120 of
Workhorse's and 1200 of the Jupyter Docker Stacks' (requests, every 3 s).
A cell: from asking a kernel to run `1` to its idle, 200 a run; 20 MB of output: the same for 20 prints of 1 MB each;
20,000 flushed prints are a message each.
Straight to the kernel is by its server's own socket, past the door, to the same kernel.
A kernel's round trip: a person who is logged in asks it to run nothing, 100 times a run, or for 8 s where that takes
longer; each run without guesses is followed by one with. The guesses come from one process, over 16 connections, to
a peer that has a password too; who waits for an answer guesses no more meanwhile.
A TLS connection's CPU: all of the cgroup's from acceptance to end, handshake alone, 200 connections a run; the peer is
then a plain Jupyter with certfile and keyfile (RSA 2048), which resumes none, or nginx with Workhorse's own key.
A visit: Chromium with its own throttling, which knows nothing of what a TLS handshake costs on the way; from the page's
address to the launcher, or to what the first cell of a notebook prints; bytes and requests until the line is idle. On
a second visit the browser has what it may keep; untrusted, after a warning that was clicked away, that is nothing.
Printed text: from running the cell to its last line in the page; without jupyter-server's limits for output, which
would leave out most of it on both sides.
A listing's CPU: all of the lab's or the peer's cgroup; JupyterLab's own question, answered whole. Others wait: the
longest that a second person waits for what is told of a folder, while a first one saves or opens 50 MB of outputs.
A download: the same file, key and protocols as nginx's, one worker each; the CPU is the door's and the lab's together.
"""


def main() -> None:
    client = docker.from_env()
    build_peer()
    print(introduction(), flush=True)
    with both(client) as (ours, theirs):
        warm = warm_starts(ours.containers, ours.page, theirs.containers, theirs.page)
        to_lab, memory = starts_to_jupyterlab(ours.containers, ours.jupyterlab, theirs.containers, theirs.jupyterlab)
        preparation, bare = preparation_seconds(client, ours.containers[0])
        checks = with_servers(client, ours, theirs)
    starts = (warm, to_lab, first_starts(client), memory, checks, an_hour_of(checks))
    print(comparison_table([*starts, *cells(client), *kernel_trips(client), *tls_connections(client)]))
    print("\nWith a page open\n" + comparison_table(open_pages(client)))
    over_a_line = [*visits(client), *printing(client), *files(client), *downloads(client)]
    print("\nOver a slow line, and with many files\n" + comparison_table(over_a_line))
    print(NOTES + "\nWhere a warm start of the door goes\n" + warm_start_parts(warm.ours, preparation, bare))
    for name, image in (("door", IMAGE), ("lab", LAB_IMAGE), ("kernels", KERNELS_IMAGE)):
        print(f"\nThe {name}'s image\n" + table(image_size(client, image)))
    print(REMARK)
    client.close()


@dataclass(frozen=True)
class Side:
    """What starts together, the login page, and what JupyterLab answers who is logged in."""

    containers: tuple[Container, ...]
    page: Page
    jupyterlab: Page


def introduction() -> str:
    lab, server = locked_version("jupyterlab"), locked_version("jupyter-server")
    return (
        f"The peer is jupyterlab {lab} with jupyter-server {server} as pip installs them on the same base image,\n"
        "over plain HTTP with a token, while Workhorse answers over TLS with a certificate that is verified.\n"
        f"Each figure is of {RUNS} runs, by turns with the peer's.\n"
    )


@contextmanager
def both(client: docker.DockerClient) -> Iterator[tuple[Side, Side]]:
    """Workhorse and the peer, stopped, after a first start each, which fills volumes and file caches."""
    with workhorse() as stack, peer(client) as (container, their_port):
        stack.up()
        containers = containers_of(client, stack)
        our_page, their_page = Page(stack.port, trusting(containers[0])), Page(their_port)
        # The cookie's name holds the host's.
        cookies = login_cookies(f"https://{HOST}:{stack.port}", stack.authority())
        ours = Side(containers, our_page, our_page.of_jupyterlab(cookie=cookies))
        theirs = Side((container,), their_page, their_page.of_jupyterlab(token=PEER_TOKEN))
        start(theirs.containers, their_page)
        end(ours.containers)
        end(theirs.containers)
        yield ours, theirs


def with_servers(client: docker.DockerClient, ours: Side, theirs: Side) -> Comparison:
    """The health checks, on all servers running."""
    with ExitStack() as stack:
        containers = [stack.enter_context(variant(client, model)) for model in ours.containers]
        start(containers, ours.jupyterlab)
        start(theirs.containers, theirs.page)
        return health_checks(containers, theirs.containers[0])


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
