"""The memory of idle servers, as `docker stats` counts it: the cgroup's without the file cache that can go."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from docker.models.containers import Container

from tests.stacks import poll

MEBIBYTE = 2**20
# What two readings in a row may differ by when a server has come to rest.
TOLERANCE_MEBIBYTES = 0.25


def settled_memory(containers: Sequence[Container]) -> float:
    """Mebibytes of all together, read again until they have come to rest."""
    readings = [sum(map(read_memory, containers))]

    def rests() -> float | None:
        readings.append(sum(map(read_memory, containers)))
        return readings[-1] if abs(readings[-1] - readings[-2]) < TOLERANCE_MEBIBYTES else None

    return poll(rests, wanted="memory at rest")


def read_memory(container: Container) -> float:
    memory = stats(container)["memory_stats"]
    details: dict[str, int] = memory["stats"]
    # cgroup v1 has the total of the whole tree beside the group's own; v2 has that alone.
    inactive_file = details.get("total_inactive_file", details.get("inactive_file", 0))
    return float(memory["usage"] - inactive_file) / MEBIBYTE


def stats(container: Container) -> dict[str, Any]:
    """One reading of the container's cgroup, without the second that Docker waits for by default."""
    assert container.client
    assert container.id
    reading: dict[str, Any] = container.client.api.stats(container.id, stream=False, one_shot=True)
    return reading
