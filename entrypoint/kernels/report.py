"""What the kernels' server tells the door: what runs, how it stands with the folder and the home, and what is news."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from jupyter_server.base.handlers import JupyterHandler
from tornado.web import HTTPError, authenticated

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import Owner
from entrypoint.home import extensions, lacking
from entrypoint.home.folder import host_folder_of, is_another
from entrypoint.home.holders import bytes_by_session, programs_of
from entrypoint.home.home import judge_home, venv_of
from entrypoint.home.memory import limit_bytes
from entrypoint.jupyter.errands import Errands
from entrypoint.kernels.cards import read_cards
from entrypoint.kernels.runs import Runs
from entrypoint.kernels.specs import sentence
from entrypoint.system.disk import find_disk
from entrypoint.system.folder import Folder, find_folder
from entrypoint.system.image import built
from entrypoint.system.kernels_report import KERNELS_MAX, PATH, UNKNOWN, WORDS_MAX, Kernel, KernelsReport, as_json

NEWS_PATH = "/workhorse/news"
PROC = Path("/proc")
LEFT_OUT_SHOWN = 3
# The door waits a little longer.
DISK_SECONDS = 2.0


def answer_the_door(web_app: Any, places: Places, runs: Runs) -> None:
    """Serves what the door asks, at the same addresses whatever a person's own settings say of the others."""
    options = {"places": places}
    handlers = [(PATH, ReportHandler, options | {"runs": runs}), (NEWS_PATH, NewsHandler, options)]
    web_app.add_handlers(".*$", handlers)


class ReportHandler(JupyterHandler):
    """What runs, and what is amiss."""

    def initialize(self, places: Places, runs: Runs) -> None:
        self.places, self.runs = places, runs

    @authenticated
    async def get(self) -> None:
        manager = self.kernel_manager
        sessions = await self.session_manager.list_sessions()
        kernels = {kernel_id: manager.get_kernel(kernel_id) for kernel_id in manager.list_kernel_ids()}
        held = await in_time(partial(bytes_by_session, PROC), PROC) or {}
        running = (*told_kernels(kernels, sessions, held), *self.runs.told(held))
        told = await report(self.places, running)
        terminals = await in_time(partial(busy_terminals, self.settings.get("terminal_manager")), PROC)
        cards = await in_time(read_cards, PROC)
        self.finish(as_json(replace(told, terminals=terminals or (), cards=cards or ())))


class NewsHandler(JupyterHandler):
    """What is worth telling in the page, each text once."""

    # What the log holds already.
    logged: set[str] = set()  # noqa: RUF012  # of the whole server

    def initialize(self, places: Places) -> None:
        self.places = places

    @authenticated
    async def get(self) -> None:
        """Tells of what is left out that the person may look for."""
        kernels = self.kernel_spec_manager
        await kernels.refresh()
        missing = await asyncio.to_thread(lambda: list(what_lacks(self.places.home)))
        for text in (text for text in missing if text not in self.logged):
            self.log.warning("%s", text)
        self.logged.update(missing)
        self.set_header("Content-Type", "application/json")
        self.finish(json.dumps([*kernels_left_out(kernels.left_out), *missing]))


async def report(places: Places, kernels: tuple[Kernel, ...]) -> KernelsReport:
    """All that is told; a disk is asked beside the event loop."""
    folder, home, folder_disk, home_disk = await asyncio.gather(
        in_time(partial(find_notebooks_folder, places), places.repositories),
        in_time(partial(what_is_amiss, places), places.home),
        in_time(partial(find_disk, places.repositories), places.repositories),
        in_time(partial(find_disk, places.home), places.home),
    )
    return KernelsReport(
        kernels=kernels[:KERNELS_MAX],
        folder=folder,
        home=("The disk of the home volume does not answer.",) if home is None else home,
        memory_limit=limit_bytes(),
        repositories=host_folder_of(places),
        image_built=built(places.root),
        folder_disk=folder_disk,
        home_disk=home_disk,
    )


async def in_time(look: Callable[[], Any], path: Path) -> Any:
    """What a look at a path finds; None where its disk does not answer, or with an error alone."""
    try:
        return await Errands.of_the_server().run(look, [str(path)], seconds=DISK_SECONDS)
    except (HTTPError, OSError):
        return None


def find_notebooks_folder(places: Places) -> Folder:
    return find_folder(places.repositories, Owner(os.geteuid(), os.getegid()), is_another(places))


def what_is_amiss(places: Places) -> tuple[str, ...]:
    """In the person's home, a line each."""
    lines = [*_closed_home(places.home), *what_lacks(places.home)]
    return tuple(lines[:WORDS_MAX])


def what_lacks(home: Path) -> Iterator[str]:
    """What the person has installed and can't use."""
    yield from lacking.tell(venv_of(home))
    yield from extensions.tell(home)


def _closed_home(home: Path) -> Iterator[str]:
    try:
        judge_home(home, Owner(os.geteuid(), os.getegid()))
    except WorkhorseError as error:
        yield from (problem.what for problem in error.problems)


def told_kernels(
    kernels: Mapping[str, Any], sessions: Iterable[Mapping[str, Any]], held: Mapping[int, int]
) -> Iterator[Kernel]:
    """The kernels that run, those of notebooks with their path, and those of consoles with their name.

    Args:
        kernels: Jupyter's managers, by the kernels' ids.
        sessions: Jupyter's models of what they belong to.
        held: Bytes of memory, by the process that leads a session.
    """
    users = {each["kernel"]["id"]: each["path" if each["type"] == "notebook" else "name"] for each in sessions}
    for kernel_id, kernel in kernels.items():
        state = getattr(kernel, "execution_state", UNKNOWN)
        name = kernel.kernel_spec.display_name
        memory = held.get(kernel.provisioner.pid) if kernel.provisioner else None
        yield Kernel(kernel_id, name, users.get(kernel_id), kernel.started, state, memory)


def busy_terminals(manager: Any) -> tuple[str, ...]:
    """The terminals in which programs run besides the shell, in the background too; none where there is no manager."""
    shells = {name: terminal.ptyproc.pid for name, terminal in (dict(manager.terminals) if manager else {}).items()}
    running = {name: programs_of(pid) for name, pid in shells.items()}
    return tuple(f"terminal {name}: {', '.join(programs)}" for name, programs in running.items() if programs)


def kernels_left_out(reasons: Mapping[Path, str]) -> Iterator[str]:
    for file in list(reasons)[:LEFT_OUT_SHOWN]:
        yield sentence(file, reasons[file])
    if (more := len(reasons) - LEFT_OUT_SHOWN) > 0:
        yield f"Kernels that are left out besides: {more}. The log names them: docker compose logs kernels"
