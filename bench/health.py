"""The processor time that health checks take: Workhorse's three, and the way of the Jupyter Docker Stacks."""

from __future__ import annotations

from collections.abc import Sequence

from docker.models.containers import Container

from bench.contestants import run_inside
from bench.memory import stats
from bench.spread import Comparison, interleave

CHECKS = 5
OTHERS = (["/opt/server/bin/python", "-I", "-m", f"entrypoint.{service}.healthcheck"] for service in ("lab", "kernels"))
OUR_CHECKS = (["workhorse", "healthcheck"], *OTHERS)
# github.com/jupyter/docker-stacks, images/base-notebook: docker_healthcheck.py, and HEALTHCHECK --interval=3s.
THEIR_CHECK = [
    "/opt/peer/bin/python",
    "-c",
    "import json, requests; requests.get('http://127.0.0.1:8888/api', proxies={'http': ''}).raise_for_status()",
]
OUR_CHECKS_PER_HOUR, THEIR_CHECKS_PER_HOUR = 3600 / 30, 3600 / 3


def health_checks(ours: Sequence[Container], theirs: Container) -> Comparison:
    """Processor seconds of a check of each of ours and of one of theirs, while Docker itself checks none."""
    per_check = interleave(lambda: sum(map(_seconds, ours, OUR_CHECKS)), lambda: _seconds(theirs, THEIR_CHECK))
    return Comparison("health check, CPU of one", "ms", *per_check).times(1000, "health check, CPU of one")


def an_hour_of(checks: Comparison) -> Comparison:
    ours = checks.times(OUR_CHECKS_PER_HOUR / 1000, "").ours
    theirs = checks.times(THEIR_CHECKS_PER_HOUR / 1000, "").theirs
    return Comparison("health checks, CPU an hour", "s", ours, theirs, decimals=1)


def _seconds(container: Container, command: list[str]) -> float:
    """One check's share of the cgroup's processor time: the check, the server's answer, and runc's part inside."""
    before = _processor_nanoseconds(container)
    for _ in range(CHECKS):
        run_inside(container, command)
    return (_processor_nanoseconds(container) - before) / 1e9 / CHECKS


def _processor_nanoseconds(container: Container) -> int:
    nanoseconds: int = stats(container)["cpu_stats"]["cpu_usage"]["total_usage"]
    return nanoseconds
