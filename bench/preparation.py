"""The time that Workhorse's own start takes before it becomes the server."""

from __future__ import annotations

from datetime import UTC, datetime

import docker
from docker.models.containers import Container

from bench.contestants import variant
from bench.spread import Spread, interleave

NOTHING = "/bin/true"


def preparation_seconds(client: docker.DockerClient, model: Container) -> tuple[Spread, Spread]:
    """The start with `true` in the server's place, less the same container with `true` alone; and the latter.

    What remains beside these two of a whole start is Jupyter's own part.
    """
    with (
        variant(client, model, Cmd=[NOTHING]) as prepared,
        variant(client, model, Entrypoint=[NOTHING], Cmd=[]) as bare,
    ):
        with_start, without = interleave(lambda: _seconds_to_end(prepared), lambda: _seconds_to_end(bare))
    differences = (whole - part for whole, part in zip(with_start.samples, without.samples, strict=True))
    return Spread(tuple(differences)), without


def _seconds_to_end(container: Container) -> float:
    """Seconds until the process has ended, by containerd's own clock: Docker's tidying up afterwards is no part."""
    began = datetime.now(UTC)
    container.start()
    status = container.wait()["StatusCode"]
    if status:
        raise RuntimeError(f"exit status {status}:\n{container.logs()!r}")
    container.reload()
    return (datetime.fromisoformat(container.attrs["State"]["FinishedAt"]) - began).total_seconds()
