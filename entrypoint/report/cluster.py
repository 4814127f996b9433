"""Which workers a cluster has, where they are and what they hold, as its scheduler tells it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown
from entrypoint.proxy.asking import NoAnswerError, ask_kernels

# Of image/cluster/scheduler.py.
PATH = "/dask/workhorse/identity"
SECONDS = 10.0
# A worker is told of in 2 kB.
BYTES_MAX = 4 << 20
WORKERS_MAX = 1000
GIGABYTE = 1 << 30
NUMBER_MAX = 1 << 60


@dataclass(frozen=True)
class Worker:
    """One worker; sizes in bytes."""

    address: str
    name: str
    status: str
    cores: int
    memory: int
    memory_limit: int
    on_disk: int


def not_on() -> WorkhorseError:
    return WorkhorseError.of(
        "No cluster is switched on.",
        "Put into .env: COMPOSE_FILE=docker-compose.yml:compose/cluster.yml\n"
        "  Then, which ends running kernels: docker compose up -d --build",
    )


def find_workers(places: Places) -> list[Worker]:
    """What the scheduler tells of them.

    Raises:
        WorkhorseError: It tells nothing, or not so.
    """
    if not places.dask_socket.parent.is_dir():
        raise not_on()
    with telling_silence():
        return judged(ask_kernels(places.dask_socket, PATH, SECONDS, BYTES_MAX))


@contextmanager
def telling_silence() -> Iterator[None]:
    try:
        yield
    except (NoAnswerError, ValueError) as error:
        raise WorkhorseError.of(
            f"The cluster's scheduler does not answer: {error}.", "Read what it says: docker compose logs scheduler"
        ) from error


def judged(told: object) -> list[Worker]:
    """What people's code may have made the scheduler say, as far as it is what Dask says.

    Raises:
        ValueError: It isn't.
    """
    workers = told.get("workers") if isinstance(told, dict) else None
    if not isinstance(workers, dict) or len(workers) > WORKERS_MAX:
        raise ValueError("what it says is no list of workers")
    return [_worker(str(address), each) for address, each in workers.items()]


def _worker(address: str, told: object) -> Worker:
    metrics = _part(told, "metrics")
    return Worker(
        shown(address),
        shown(str(_part(told, "name"))),
        shown(str(_part(told, "status"))),
        _number(_part(told, "nthreads")),
        _number(_part(metrics, "memory")),
        _number(_part(told, "memory_limit")),
        _number(_part(_part(metrics, "spilled_bytes"), "disk")),
    )


def _part(told: object, name: str) -> object:
    return told.get(name) if isinstance(told, dict) else None


def _number(told: object) -> int:
    if isinstance(told, float):
        told = int(told) if math.isfinite(told) else 0
    return max(0, min(told, NUMBER_MAX)) if isinstance(told, int) else 0


def lines(workers: list[Worker]) -> Iterator[str]:
    yield f"{len(workers)} workers. For another number of them here, in .env: WORKERS=4   then: docker compose up -d"
    columns = [(each.address, machine_of(each) or "this machine") for each in workers]
    wide, narrow = (max(map(len, column), default=0) for column in zip(*columns, strict=True)) if columns else (0, 0)
    for each, (address, machine) in zip(workers, columns, strict=True):
        cores = "1 core " if each.cores == 1 else f"{each.cores} cores"
        memory = f"{_gigabytes(each.memory)} of {_gigabytes(each.memory_limit)} GB"
        disk = f"{_gigabytes(each.on_disk)} GB on disk"
        yield f"  {address:{wide}}  {machine:{narrow}}  {cores}  {memory}, {disk}  {each.status}"


def machine_of(worker: Worker) -> str:
    """The machine that a worker has joined from, as its name tells it; empty for those of this one."""
    machine, _, number = worker.name.rpartition("/")
    return machine if number.isdecimal() else ""


def _gigabytes(size: int) -> str:
    return f"{size / GIGABYTE:.1f}"
