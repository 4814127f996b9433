"""`workhorse cluster`: its workers, and which other machines may bring some."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote

from entrypoint.certificates import machines
from entrypoint.certificates.machines import Bundle
from entrypoint.files.errors import Problem, WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown, shown_lines
from entrypoint.proxy.asking import Question, ask
from entrypoint.report.cluster import find_workers, lines, machine_of, not_on, telling_silence
from entrypoint.settings.known import read_known_settings
from entrypoint.settings.settings import Settings

COMMAND = "docker compose exec workhorse workhorse cluster"
BUNDLE = "docker compose exec -T workhorse workhorse cluster bundle"
# What image/cluster/scheduler.py answers.
REMOVE_PATH = "/dask/workhorse/remove"
ANSWER_BYTES_MAX = 1 << 16
# Workers give what they hold to others first.
REMOVAL_SECONDS = 120.0
# What compose/cluster-join.yml tells the door.
IMAGE, PROJECT = "WORKER_IMAGE", "WORKER_PROJECT"
# As ssh takes it, and Docker and a shell as it stands.
MACHINE = re.compile(r"(?:[\w.-]{1,64}@)?(?P<name>[A-Za-z0-9][A-Za-z0-9.-]{0,63})", re.ASCII)
SCRIPT = Path(__file__).with_name("join.sh")


@dataclass(frozen=True)
class Prepared:
    """What root has prepared.

    Args:
        address: As ssh knows the machine.
        revoked: The list of all that were taken back, in PEM.
    """

    address: str = ""
    name: str = ""
    image: str = ""
    project: str = ""
    bundle: Bundle | None = None
    revoked: bytes = b""


def as_root(places: Places, arguments: argparse.Namespace, environ: Mapping[str, str]) -> Prepared:
    """Signs what an action asks for, once it is known that nothing speaks against it."""
    if not arguments.action:
        return Prepared()
    if not places.cluster_authority.parent.is_dir():
        raise not_on()
    address, name = _machine(arguments)
    if arguments.action == "remove":
        return Prepared(address, name, revoked=machines.remove(places, name, datetime.now(UTC)))
    image, project = environ.get(IMAGE, ""), environ.get(PROJECT, "")
    if not (image and project and read_known_settings(places).settings.cluster_address):
        raise WorkhorseError.of(
            "No other machine reaches this cluster yet.",
            "In .env: COMPOSE_FILE=docker-compose.yml:compose/cluster.yml:compose/cluster-join.yml\n"
            "  and this machine's own address: CLUSTER_ADDRESS=192.168.1.20   then: docker compose up -d",
        )
    if arguments.action == "join":
        return Prepared(address, name, image, project)
    if sys.stdout.isatty():
        raise WorkhorseError.of("A bundle holds a key, which no terminal need show.", f"{COMMAND} join {address}")
    return Prepared(address, name, image, project, machines.admit(places, name, datetime.now(UTC)))


def _machine(arguments: argparse.Namespace) -> tuple[str, str]:
    """How ssh reaches it, and what it is called.

    Raises:
        WorkhorseError: There is no such action, or no name.
    """
    if arguments.action not in ("join", "bundle", "remove"):
        raise WorkhorseError.of(
            f"'{shown(arguments.action)}' is nothing that cluster can do.", f"{COMMAND} join MACHINE, or remove"
        )
    given = arguments.machine or ""
    if not (match := MACHINE.fullmatch(given)):
        what = f"'{shown(given)}' is no name of a machine." if given else "Which machine?"
        raise WorkhorseError.of(what, f"As ssh knows it: {COMMAND} {arguments.action} ada@bigmem")
    return given, match["name"]


def run(places: Places, arguments: argparse.Namespace) -> int:
    """The command `workhorse cluster`."""
    prepared: Prepared = arguments.prepared
    actions: dict[str | None, Callable[[], Iterator[str]]] = {
        None: lambda: lines(find_workers(places)),
        "join": lambda: joining(prepared, read_known_settings(places).settings),
        "remove": lambda: _remove(places, prepared),
    }
    if prepared.bundle:
        print(script(prepared, prepared.bundle, read_known_settings(places).settings))
        return 0
    print(shown_lines("\n".join(actions[arguments.action]())))
    return 0


def joining(prepared: Prepared, settings: Settings) -> Iterator[str]:
    """What a person types on this machine; the limits of each worker there are those of this machine's."""
    image, address, workers = prepared.image, prepared.address, settings.workers
    memory, cores = settings.worker_memory, settings.worker_cores
    yield f"On this machine, in the folder of docker-compose.yml, if ssh leads to {address} and Docker runs there:"
    yield ""
    yield (
        f"docker save {image} | ssh {address} docker load && {BUNDLE} {address} </dev/null | "
        f"ssh {address} WORKERS={workers} WORKER_MEMORY={memory} WORKER_CORES={cores} sh"
    )
    yield ""
    yield "It copies the image, then starts workers there: as many as it says, each with that memory and so many cores."
    yield f"They are let in for {machines.VALIDITY_DAYS} days: type it again before that, and after each update."
    yield f"Who works:  {COMMAND}"
    yield f"To end it:  {COMMAND} remove {address}"


def script(prepared: Prepared, bundle: Bundle, settings: Settings) -> str:
    """What the other machine's sh reads from standard input: values, then all that is done with them."""
    values = {
        "machine": prepared.name,
        "image": prepared.image,
        "name": f"{prepared.project}-joined",
        "address": settings.cluster_address,
        "port": str(settings.cluster_port),
        "ends": str(int(bundle.ends.timestamp())),
        "last_day": f"{bundle.ends:%Y-%m-%d}",
        "authority": bundle.authority.decode(),
        "pair": bundle.pair.decode(),
    }
    return "\n".join([*(f"{name}={quote(value)}" for name, value in values.items()), SCRIPT.read_text()])


def _remove(places: Places, prepared: Prepared) -> Iterator[str]:
    """Tells the scheduler, which reads it at each of its starts too."""
    try:
        count = _refuse(places, prepared)
    except WorkhorseError as error:
        what = f"{prepared.name} is let in no more by a scheduler that starts anew; the one that runs can't be told."
        raise WorkhorseError([Problem(what, "docker compose restart scheduler"), *error.problems]) from error
    yield f"{prepared.name} is let in no more. Its {count} workers have given what they held to others."
    yield "Its containers ask in vain, until they are ended there:"
    yield f"  ssh {prepared.address} 'docker rm -f $(docker ps -aq --filter label=workhorse.joined)'"
    yield "Against somebody who has stolen its key: a new authority for the cluster (docs/cluster.md, at its end)."


def _refuse(places: Places, prepared: Prepared) -> int:
    """How many workers of that machine were there."""
    workers = [each.address for each in find_workers(places) if machine_of(each) == prepared.name]
    body = json.dumps({"workers": workers, "revoked": prepared.revoked.decode()}).encode()
    with telling_silence():
        ask(places.dask_socket, Question("POST", REMOVE_PATH, body=body), REMOVAL_SECONDS, ANSWER_BYTES_MAX)
    return len(workers)
