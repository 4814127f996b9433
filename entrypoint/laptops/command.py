"""`workhorse sync`: what a laptop needs to keep the notebooks' folder in step, and how far both are."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from shlex import quote

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown
from entrypoint.laptops.device_id import parse_device_id, short_id
from entrypoint.laptops.pairing import is_on, not_on, read_pairing, write_laptops
from entrypoint.laptops.report import ask_for_report, sync_lines
from entrypoint.laptops.syncthing import Syncthing
from entrypoint.proxy.asking import NoAnswerError
from entrypoint.settings.known import read_known_settings
from entrypoint.settings.settings import Settings
from entrypoint.system.pairing import Laptop, Pairing

COMMAND = "docker compose exec workhorse workhorse sync"
START = "docker compose up -d"
SHOWN_LENGTH = 80
RECONNECT_SECONDS = 10
# What stays where it is on the laptop too: as entrypoint/sync/ignores.py has it.
IGNORED = [
    "(?d).ipynb_checkpoints", "(?d)__pycache__", "(?d).~*", "(?d).DS_Store", "/Trash", ".venv", "venv", "node_modules",
]  # fmt: skip
GIT = ".git"


def run(places: Places, arguments: argparse.Namespace) -> int:
    """The command `workhorse sync`."""
    if not is_on(places):
        raise not_on()
    actions: dict[str | None, Callable[[], int]] = {
        None: lambda: show(places, arguments.another),
        "pair": lambda: pair(places, arguments.device, arguments.name),
        "forget": lambda: forget_all(places) if arguments.all else forget(places, arguments.device),
    }
    if arguments.action not in actions:
        raise WorkhorseError.of(
            f"'{shown(arguments.action)}' is nothing that sync can do.", f"{COMMAND} pair DEVICE-ID, or forget"
        )
    return actions[arguments.action]()


def show(places: Places, is_for_another: bool) -> int:
    settings, pairing = read_known_settings(places).settings, read_pairing(places)
    try:
        lines = [*sync_lines(report := ask_for_report(places, pairing))]
        trouble = report.trouble
    except NoAnswerError as error:
        lines, trouble = [f"not known: {error}"], f"Syncthing doesn't answer. To start it: {START}"
    for number, line in enumerate(lines):
        print(f"  {'' if number else 'Laptops':10}  {line}")
    if trouble:
        print(f"  {'ATTENTION':10}  {trouble}")
    for number, address in enumerate(addresses(settings)):
        print(f"  {'' if number else 'Address':10}  {address}")
    print(f"  {'Device ID':10}  {pairing.device}")
    if pairing.laptops and not is_for_another:
        print(f"\nTo pair another laptop: {COMMAND} --another")
        return 0
    import segno

    segno.make(pairing.device).terminal(compact=True)
    print("\n".join(steps(settings, pairing)))
    return 0


def addresses(settings: Settings) -> list[str]:
    """Where a laptop finds this server."""
    if settings.listen_address.is_loopback:
        return [f"tcp://127.0.0.1:{settings.sync_port}"]
    names = [name.in_url for name in settings.server_names] or ["THIS-MACHINES-NAME"]
    return [f"tcp://{name}:{settings.sync_port}" for name in names]


def steps(settings: Settings, pairing: Pairing) -> Iterator[str]:
    """What a person does, and pastes on the laptop."""
    if settings.listen_address.is_loopback:
        port = settings.sync_port
        yield "This server listens to its own machine alone. Keep a tunnel open on the laptop:"
        yield f"  ssh -N -L {port}:127.0.0.1:{port} USER@THIS-MACHINE\n"
    yield "On the laptop, install and start Syncthing (docs/sync.md says how). Then paste this into its terminal:\n"
    yield from (f"  {line}" for line in block(settings, pairing))
    yield f"\nIt ends with the laptop's own device ID. Here: {COMMAND} pair THAT-DEVICE-ID"
    if not settings.server_names and not settings.listen_address.is_loopback:
        yield "For THIS-MACHINES-NAME, put the name or address that the laptop reaches this machine by."


def block(settings: Settings, pairing: Pairing) -> Iterator[str]:
    """For a shell of macOS or Linux; on Windows the same is typed into Syncthing's page."""
    device = {"deviceID": pairing.device, "name": "workhorse", "addresses": addresses(settings)}
    folder = {
        "id": pairing.folder,
        "label": "Workhorse",
        "path": "~/workhorse",
        "devices": [{"deviceID": pairing.device}],
        # Of what is left out here, Syncthing's own default is "no" (1.29).
        "fsWatcherEnabled": True,
        "fsWatcherDelayS": 1,
        "rescanIntervalS": 3600,
        "autoNormalize": True,
        "minDiskFree": {"value": 1, "unit": "%"},
        "maxConflicts": -1,
        "pullerPauseS": RECONNECT_SECONDS,
        "versioning": {"type": "staggered", "params": {"maxAge": "2592000"}},
    }
    ignored = [*IGNORED, *([] if settings.sync_git else [GIT])]
    yield f"mkdir -p ~/workhorse && printf '%s\\n' {' '.join(map(quote, ignored))} > ~/workhorse/.stignore"
    for kind, content in (("devices", device), ("folders", folder)):
        yield f"syncthing cli config {kind} add-json {quote(json.dumps(content))}"
    # By its own default, a laptop that wakes up looks for the server within a minute.
    yield f"syncthing cli config options reconnect-intervals set {RECONNECT_SECONDS}"
    yield "syncthing cli show system | grep myID"


def pair(places: Places, typed: str | None, name: str | None) -> int:
    """Accepts one device by the id that a person typed, never one from the list of those who knocked."""
    if not typed:
        raise WorkhorseError.of(
            "Which laptop is to be paired?", f"{COMMAND} pair DEVICE-ID   with the ID that it shows"
        )
    pairing, laptop = read_pairing(places), Laptop(_parsed(typed), shown((name or "").strip(), SHOWN_LENGTH))
    if laptop.id == pairing.device:
        raise WorkhorseError.of(
            "That is this server's own device ID.", f"{COMMAND} pair DEVICE-ID   with the ID that the laptop shows"
        )
    others = tuple(each for each in pairing.laptops if each.id != laptop.id)
    write_laptops(places, (*others, laptop))
    return _tell(places, lambda syncthing: syncthing.pair(laptop, read_pairing(places)), _paired(laptop))


def _paired(laptop: Laptop) -> str:
    return f"Paired with {laptop.name or short_id(laptop.id)}. How far both are: {COMMAND}"


def forget(places: Places, typed: str | None) -> int:
    pairing = read_pairing(places)
    if not pairing.laptops:
        raise WorkhorseError.of("No laptop is paired.", f"How to pair one: {COMMAND}")
    if not typed and len(pairing.laptops) > 1:
        listed = ", ".join(f"{each.id} {each.name}".strip() for each in pairing.laptops)
        raise WorkhorseError.of(
            f"{len(pairing.laptops)} laptops are paired: {shown(listed)}.",
            f"{COMMAND} forget DEVICE-ID   or, to forget all: {COMMAND} forget --all",
        )
    device = _parsed(typed) if typed else pairing.laptops[0].id
    laptop = next((each for each in pairing.laptops if each.id == device), None)
    if laptop is None:
        raise WorkhorseError.of(f"{device} is not paired.", f"Which are: {COMMAND}")
    write_laptops(places, (each for each in pairing.laptops if each != laptop))
    said = f"{laptop.name or short_id(laptop.id)} is forgotten. Its files and this server's stay as they are."
    return _tell(places, lambda syncthing: syncthing.forget(laptop), said)


def forget_all(places: Places) -> int:
    """Also where the list can't be read."""
    try:
        laptops = read_pairing(places).laptops
    except WorkhorseError:
        laptops = ()
    write_laptops(places, ())

    def forget_each(syncthing: Syncthing) -> None:
        for laptop in laptops:
            syncthing.forget(laptop)

    return _tell(places, forget_each, "Every laptop is forgotten. All files stay as they are.")


def _parsed(typed: str) -> str:
    try:
        return parse_device_id(typed)
    except ValueError as error:
        raise WorkhorseError.of(
            f"The device ID '{shown(typed[:SHOWN_LENGTH])}' {error}.",
            "Copy it whole from the laptop: syncthing --device-id, or in its page: Actions > Show ID",
        ) from None


def _tell(places: Places, action: Callable[[Syncthing], None], said: str) -> int:
    """Tells the running Syncthing what has been decided; one that isn't there reads it at its start."""
    try:
        action(Syncthing(places.sync_socket, read_pairing(places).folder))
        print(said)
    except NoAnswerError as error:
        print(f"{said}\nSyncthing can't be told yet ({error}); it reads it at its start: docker compose restart sync")
    return 0
