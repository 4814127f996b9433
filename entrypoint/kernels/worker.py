"""The start of a worker of the cluster, on its machine or on another: Dask's own, as its surroundings ask for it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

from entrypoint.files.errors import WorkhorseError
from entrypoint.kernels.cluster import run

# Before the pair ends, while what a worker holds can still be given to others.
MARGIN_SECONDS = 600
# Where it shares its machine's network, so that a firewall can let them in.
PORTS, NANNY_PORTS = "18700:18799", "18800:18899"


def command(environ: Mapping[str, str], now: float) -> list[str]:
    """What becomes of this process.

    Args:
        environ: `CLUSTER_SCHEDULER` and what follows it is there where other machines take part.
        now: In seconds since 1970.

    Raises:
        WorkhorseError: The pair by which it joins has ended.
    """
    return ["python", "-m", "dask", "worker", *_options(environ, now)]


def _options(environ: Mapping[str, str], now: float) -> Iterator[str]:
    yield f"--nthreads={environ.get('WORKER_CORES') or 1}"
    yield from ("--no-dashboard", "--dashboard-address=127.0.0.1:0", "--local-directory=/spill")
    # The rest is for the process that watches over it: WORKER_MEMORY is for both.
    yield "--memory-limit=0.9"
    yield from ("--preload=/opt/workhorse/cluster/apart.py", "--preload=/opt/workhorse/cluster/worker.py")
    yield "--preload-nanny=/opt/workhorse/cluster/apart.py"
    if scheduler := environ.get("CLUSTER_SCHEDULER"):
        yield from (scheduler, f"--worker-port={PORTS}", f"--nanny-port={NANNY_PORTS}")
    if host := environ.get("WORKER_HOST"):
        yield f"--host={host}"
    if name := environ.get("WORKER_NAME"):
        yield f"--name={name}"
    if ends := environ.get("BUNDLE_ENDS"):
        yield f"--lifetime={_left(int(ends), now)}s"


def _left(ends: int, now: float) -> int:
    left = int(ends - now) - MARGIN_SECONDS
    if left <= 0:
        day = datetime.fromtimestamp(ends, UTC)
        raise WorkhorseError.of(
            f"This machine could join until {day:%Y-%m-%d}.",
            "For as long again, on the cluster's own: docker compose exec workhorse workhorse cluster join MACHINE",
        )
    return left


if __name__ == "__main__":
    run(lambda: command(os.environ, time.time()), is_alone="BUNDLE_ENDS" in os.environ)
