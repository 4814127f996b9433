"""What the kernels' server tells: written there, and judged wherever it is read; notebooks may have written it."""

from __future__ import annotations

import stat
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, TypeVar

from entrypoint.files.untrusted import shown
from entrypoint.system.cards import CARDS_MAX, Card
from entrypoint.system.disk import Disk
from entrypoint.system.folder import Folder
from entrypoint.system.memory import in_gib

PATH = "/workhorse/report"
# Far more than run on any machine, with notebooks of long names.
BYTES_MAX, KERNELS_MAX, WORDS_MAX = 1 << 20, 10_000, 20
SHOWN_KERNELS = 20
TERMINALS_MAX = 20
# JupyterLab's own words (jupyter_server, services/kernels), and what stands for any other.
STATES = ("starting", "idle", "busy", "restarting", "autorestarting", "terminating", "dead")
UNKNOWN = "unknown"
NUMBER_MAX = 2**63

Judged = TypeVar("Judged")


@dataclass(frozen=True)
class Kernel:
    """One that runs.

    Args:
        name: Of its kind, such as `Python 3`.
        notebook: Its path in the notebooks' folder; None where there is none.
        memory: In bytes, its children's too; None where that isn't known.
    """

    id: str
    name: str
    notebook: str | None
    started: datetime | None
    state: str
    memory: int | None = None


@dataclass(frozen=True)
class KernelsReport:
    """All that the kernels' server tells.

    Args:
        folder: None where its disk does not answer.
        home: What is amiss in the person's home, in the server's own words.
        terminals: Those in which programs run, with the programs' names.
        memory_limit: In bytes; None where there is none but the machine's own.
        repositories: What the host calls the notebooks' folder.
        folder_disk: Of the notebooks' folder; None where it does not answer, as `home_disk`.
    """

    kernels: tuple[Kernel, ...]
    folder: Folder | None
    home: tuple[str, ...]
    memory_limit: int | None
    repositories: str
    image_built: datetime | None
    terminals: tuple[str, ...] = ()
    cards: tuple[Card, ...] = ()
    folder_disk: Disk | None = None
    home_disk: Disk | None = None


def as_json(report: KernelsReport) -> dict[str, Any]:
    """In JSON's own types."""
    kernels = [{**asdict(each), "started": _written(each.started)} for each in report.kernels]
    return {**asdict(report), "kernels": kernels, "image_built": _written(report.image_built)}


def _written(time: datetime | None) -> str | None:
    return time.isoformat(timespec="seconds") if time else None


def judged(content: object) -> KernelsReport:
    """What is told, as far as it is of the form that it should be; every text may be printed.

    Raises:
        ValueError: It is not, and how.
    """
    told = _Told(content)
    return KernelsReport(
        kernels=tuple(map(_kernel, told.entries("kernels", KERNELS_MAX))),
        folder=told.optional("folder", _folder),
        home=tuple(map(_text, told.entries("home", WORDS_MAX))),
        memory_limit=told.optional("memory_limit", _number),
        repositories=_text(told["repositories"]),
        image_built=told.optional("image_built", _time),
        terminals=told.optional("terminals", _terminals) or (),
        cards=told.optional("cards", _cards) or (),
        folder_disk=told.optional("folder_disk", _disk),
        home_disk=told.optional("home_disk", _disk),
    )


def _terminals(content: object) -> tuple[str, ...]:
    if not isinstance(content, list):
        raise ValueError("'terminals' is no list")
    return tuple(map(_text, content[:TERMINALS_MAX]))


def _cards(content: object) -> tuple[Card, ...]:
    if not isinstance(content, list):
        raise ValueError("'cards' is no list")
    return tuple(map(_card, content[:CARDS_MAX]))


def _card(content: object) -> Card:
    told = _Told(content)
    return Card(_text(told["name"]), _number(told["used"]), _number(told["memory"]))


def _kernel(content: object) -> Kernel:
    told = _Told(content)
    state = _text(told["state"])
    return Kernel(
        id=_text(told["id"]),
        name=_text(told["name"]),
        notebook=told.optional("notebook", _text),
        started=told.optional("started", _time),
        state=state if state in STATES else UNKNOWN,
        memory=told.optional("memory", _number),
    )


def _disk(content: object) -> Disk:
    told = _Told(content)
    return Disk(_number(told["free"]), _number(told["size"]))


def _folder(content: object) -> Folder:
    told = _Told(content)
    return Folder(
        uid=_number(told["uid"]),
        gid=_number(told["gid"]),
        mode=stat.S_IMODE(_number(told["mode"])),
        user=_number(told["user"]),
        group=_number(told["group"]),
        is_writable=_flag(told["is_writable"]),
        is_read_only=_flag(told["is_read_only"]),
        is_gone=_flag(told["is_gone"]),
        is_another=_flag(told["is_another"]),
    )


class _Told:
    """A JSON object, whose values are asked for by name."""

    def __init__(self, content: object) -> None:
        if not isinstance(content, dict):
            raise ValueError("what it tells is not of the form that it should be")
        self.content = content

    def __getitem__(self, name: str) -> object:
        if name not in self.content:
            raise ValueError(f"it tells nothing of '{name}'")
        return self.content[name]

    def entries(self, name: str, most: int) -> list[object]:
        values = self[name]
        if not isinstance(values, list) or len(values) > most:
            raise ValueError(f"'{name}' is no list, or one of more than {most}")
        return values

    def optional(self, name: str, judge: Callable[[object], Judged]) -> Judged | None:
        """None, too, where the lab is of an earlier version."""
        value = self.content.get(name)
        return None if value is None else judge(value)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("one of its texts is none")
    return shown(value)


def _number(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < NUMBER_MAX:
        raise ValueError("one of its numbers is none, or out of all bounds")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("one of its answers is neither yes nor no")
    return value


def _time(value: object) -> datetime:
    try:
        return datetime.fromisoformat(_text(value)).astimezone(UTC)
    except OverflowError as error:
        raise ValueError("one of its times is out of all bounds") from error


def kernel_lines(kernels: tuple[Kernel, ...]) -> Iterator[str]:
    """How many run, then each of the first, with what a person knows it by."""
    if not kernels:
        yield "none running"
        return
    yield f"{len(kernels)} running"
    for kernel in kernels[:SHOWN_KERNELS]:
        yield kernel_line(kernel)
    if (more := len(kernels) - SHOWN_KERNELS) > 0:
        yield f"and {more} more"


def kernel_line(kernel: Kernel) -> str:
    since = f", since {kernel.started:%Y-%m-%d %H:%M} UTC" if kernel.started else ""
    memory = "" if kernel.memory is None else f", {in_gib(kernel.memory)}"
    return f"{kernel.notebook or 'without a notebook'} ({kernel.name}): {kernel.state}{since}{memory}"
