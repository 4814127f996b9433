"""How far the laptops and this server are, as Syncthing tells it: judged here, since it reads what strangers send."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from entrypoint.files.conflicts import device_of
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown
from entrypoint.laptops.device_id import parse_device_id, short_id
from entrypoint.laptops.pairing import read_pairing
from entrypoint.laptops.syncthing import Syncthing
from entrypoint.proxy.asking import NoAnswerError
from entrypoint.system.pairing import Pairing

SHOWN, TROUBLE_MAX = 10, 400
# Before 2000 is Syncthing's zero: never.
FIRST_YEAR = 2000


@dataclass(frozen=True)
class Part:
    """What one side has yet to get."""

    items: int
    bytes: int

    def __str__(self) -> str:
        size = f"{self.bytes / 1e6:.1f} MB" if self.bytes >= 1e5 else f"{self.bytes / 1e3:.1f} kB"
        return f"{self.items} file{'s' * (self.items != 1)}, {size}"


@dataclass(frozen=True)
class LaptopReport:
    """How it stands with one of them.

    Args:
        last_seen: None for never.
        takes_part: Whether it has the folder too, as far as it has told.
    """

    id: str
    name: str
    is_connected: bool
    last_seen: datetime | None
    takes_part: bool
    missing: Part

    @property
    def called(self) -> str:
        return f"{self.name} ({short_id(self.id)})" if self.name else short_id(self.id)


@dataclass(frozen=True)
class SyncReport:
    """All that is told.

    Args:
        missing: What this server has yet to get.
        trouble: Why the folder stands still, or is slow to be noticed; empty where all is well.
        errors: Why single files could not be taken.
        conflicts: Copies of files that were changed in two places at once, each with whose it is; None where there are
            too many files to look through.
    """

    laptops: tuple[LaptopReport, ...]
    missing: Part
    trouble: str
    errors: tuple[str, ...]
    conflicts: tuple[str, ...] | None


def ask_for_report(places: Places, pairing: Pairing | None = None) -> SyncReport:
    """What Syncthing tells.

    Raises:
        NoAnswerError: It tells nothing, or nothing that can be read.
        WorkhorseError: Syncing is not switched on.
    """
    known = pairing or read_pairing(places)
    syncthing = Syncthing(places.sync_socket, known.folder)
    try:
        return _report(syncthing, known)
    except (LookupError, AttributeError, TypeError, ValueError, OverflowError) as error:
        raise NoAnswerError(f"it tells nothing that can be read ({shown(repr(error))})") from error


def _report(syncthing: Syncthing, pairing: Pairing) -> SyncReport:
    here: Any = syncthing.ask_of_folder("db/status")
    told: Any = syncthing.ask_of_folder("folder/errors")
    names = read_names(syncthing)
    return SyncReport(
        laptops=tuple(_laptops(syncthing, pairing, names)),
        missing=Part(int(here["needTotalItems"]), int(here["needBytes"])),
        trouble=shown(_trouble(str(here.get("error") or ""), str(here.get("watchError") or "")), TROUBLE_MAX),
        errors=tuple(f"{shown(str(each['path']))}: {shown(str(each['error']))}" for each in told["errors"] or ()),
        conflicts=_find_conflicts(syncthing, {short_id(device): name for device, name in names.items()}),
    )


def _trouble(error: str, watch_error: str) -> str:
    """Without a watch on the folder, which has its limits in the system, Syncthing looks through it once an hour."""
    return error or (f"what changes here is noticed once an hour only ({watch_error})" if watch_error else "")


def read_names(syncthing: Syncthing) -> dict[str, str]:
    """What each device is called: by the person, or by itself.

    Raises:
        NoAnswerError: Nobody answers.
    """
    devices: Any = syncthing.ask("config/devices")
    return {parse_device_id(each["deviceID"]): shown(str(each["name"])) for each in devices}


def _laptops(syncthing: Syncthing, pairing: Pairing, names: dict[str, str]) -> Iterator[LaptopReport]:
    connections: Any = syncthing.ask("system/connections")
    seen: Any = syncthing.ask("stats/device")
    for laptop in pairing.laptops:
        there: Any = syncthing.ask_of_folder("db/completion", device=laptop.id)
        # Of one that has nothing yet, Syncthing says that it lacks nothing (1.29).
        kind = "need" if there["sequence"] else "global"
        last_seen = datetime.fromisoformat(seen.get(laptop.id, {}).get("lastSeen", "1970-01-01T00:00:00Z"))
        yield LaptopReport(
            id=laptop.id,
            name=laptop.name or names.get(laptop.id, ""),
            is_connected=connections["connections"].get(laptop.id, {}).get("connected") is True,
            last_seen=last_seen.astimezone(UTC) if last_seen.year >= FIRST_YEAR else None,
            takes_part=there.get("remoteState") != "notSharing",
            missing=Part(int(there[f"{kind}Items"]) + int(there["needDeletes"]), int(there[f"{kind}Bytes"])),
        )


def _find_conflicts(syncthing: Syncthing, names: dict[str, str]) -> tuple[str, ...] | None:
    try:
        return tuple(_conflicts(syncthing.files(), names))
    except (NoAnswerError, RecursionError):
        return None


def _conflicts(tree: Any, names: dict[str, str], folder: str = "") -> Iterator[str]:
    for entry in tree or ():
        path = f"{folder}{entry['name']}"
        if short := device_of(entry["name"]):
            yield f"{shown(path)} ({names.get(short) or short}'s)"
        yield from _conflicts(entry.get("children"), names, f"{path}/")


def sync_lines(report: SyncReport) -> Iterator[str]:
    """How it stands, a line for each laptop and for what a person should know."""
    if not report.laptops:
        yield "none paired"
    for laptop in report.laptops:
        yield f"{laptop.called}: {_state(laptop, report.missing)}"
    if report.conflicts is None:
        yield "there are too many files to look for some that were changed in two places at once"
    yield from _some("changed in two places at once, and kept in both versions", report.conflicts or ())
    yield from _some("can't be taken over", report.errors)


def _state(laptop: LaptopReport, here: Part) -> str:
    seen = f"last seen {laptop.last_seen:%Y-%m-%d %H:%M} UTC" if laptop.last_seen else "not seen yet"
    if not laptop.is_connected:
        waiting = f"; {laptop.missing} wait for it" if laptop.missing.items else ""
        return f"away, {seen}{waiting}"
    if not laptop.takes_part:
        return "connected, but it has not added the folder yet"
    missing = [f"{part} to {way}" for part, way in ((laptop.missing, "go there"), (here, "come here")) if part.items]
    return f"connected, {'; '.join(missing) or 'both have everything'}"


def _some(what: str, lines: tuple[str, ...]) -> Iterator[str]:
    if not lines:
        return
    yield f"{len(lines)} file{'s' * (len(lines) != 1)} {what}:"
    yield from (f"  {line}" for line in lines[:SHOWN])
    if len(lines) > SHOWN:
        yield f"  and {len(lines) - SHOWN} more"
