"""What is told of a cluster, whatever its scheduler says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.report.cluster import find_workers, judged, lines

WORKER: dict[str, Any] = {
    "status": "running",
    "nthreads": 1,
    "memory_limit": 2 << 30,
    "metrics": {"memory": 1 << 30, "spilled_bytes": {"memory": 0, "disk": 3 << 30}},
}


def test_a_worker_is_told_with_what_it_holds() -> None:
    told = list(lines(judged({"workers": {"tls://192.0.2.1:4001": WORKER}})))
    assert told[1] == "  tls://192.0.2.1:4001  this machine  1 core   1.0 of 2.0 GB, 3.0 GB on disk  running"


def test_a_worker_of_another_machine_is_told_with_its_name() -> None:
    here, there = WORKER | {"name": "tls://192.0.2.1:4001"}, WORKER | {"name": "bigmem/12"}
    told = list(lines(judged({"workers": {"tls://192.0.2.1:4001": here, "tls://192.0.2.20:18700": there}})))
    assert told[1:] == [
        "  tls://192.0.2.1:4001    this machine  1 core   1.0 of 2.0 GB, 3.0 GB on disk  running",
        "  tls://192.0.2.20:18700  bigmem        1 core   1.0 of 2.0 GB, 3.0 GB on disk  running",
    ]


@pytest.mark.parametrize(
    "told", [None, [], {}, {"workers": 3}, {"workers": dict.fromkeys(map(str, range(1001)), WORKER)}]
)
def test_what_is_no_list_of_workers_is_refused(told: object) -> None:
    with pytest.raises(ValueError, match="no list of workers"):
        judged(told)


@pytest.mark.parametrize("odd", [None, 3, {}, {"metrics": []}, {"nthreads": float("inf"), "memory_limit": "all"}])
def test_an_odd_worker_is_told_without_numbers(odd: object) -> None:
    (worker,) = judged({"workers": {"tls://\x1b[2J": odd}})
    assert (worker.cores, worker.memory, worker.memory_limit, worker.on_disk) == (0, 0, 0, 0)
    assert "\x1b" not in worker.address


def test_no_number_is_too_large_to_tell() -> None:
    told = list(
        lines(judged({"workers": {"tls://192.0.2.1:4001": WORKER | {"memory_limit": 10**4000, "nthreads": -1}}}))
    )
    assert "0 cores  1.0 of 1073741824.0 GB" in told[1]


def test_without_a_cluster_the_line_that_switches_one_on_is_told(tmp_path: Path) -> None:
    with pytest.raises(WorkhorseError, match=r"COMPOSE_FILE=docker-compose\.yml:compose/cluster\.yml"):
        find_workers(Places(tmp_path))


def test_a_scheduler_that_is_away_is_told(tmp_path: Path) -> None:
    (tmp_path / "run/dask").mkdir(parents=True)
    with pytest.raises(WorkhorseError, match="docker compose logs scheduler"):
        find_workers(Places(tmp_path))
