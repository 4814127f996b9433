"""`workhorse run`: runs a notebook from its first cell to its last, with no page; a copy keeps what came out."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import nbformat
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, DeadKernelError

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_linked, shown
from entrypoint.jupyter.saving import replacing
from entrypoint.kernels.expendable import LIKELIHOOD
from entrypoint.kernels.own_socket import connected
from entrypoint.kernels.runs import PATH
from entrypoint.kernels.specs import EnvironmentKernelSpecs
from entrypoint.system.notices import Outcome

SECONDS = 15.0
DEFAULT_KERNEL = "python3"
NOTEBOOK_BYTES_MAX = 1 << 30
USAGE = "Name a notebook: workhorse run analysis.ipynb"


def main(arguments: list[str], places: Places, environment: dict[str, str]) -> int:
    """Exit status 1 where a cell has failed or the kernel has ended."""
    os.environ.clear()
    os.environ.update({"JUPYTER_RUNTIME_DIR": str(places.connections)} | environment)
    try:
        if not arguments:
            raise WorkhorseError.of("Which notebook is to be run?", USAGE)
        return run(Path(arguments[0]).absolute(), places)
    except WorkhorseError as error:
        print(error, file=sys.stderr)
        return 1


def run(path: Path, places: Places) -> int:
    notebook = read_notebook(path)
    manager = kernel_of(notebook)
    copy = copy_of(path, datetime.now())
    save(notebook, copy)
    # Ended for memory before the server, as kernels are; what this starts inherits it (proc(5), oom_score_adj).
    Path("/proc/self/oom_score_adj").write_text(str(LIKELIHOOD))
    print(f"Running {shown(path.name)}. What comes out goes into {shown(copy.name)}, cell by cell.")
    print("This page may be closed meanwhile. Ctrl+C ends the run.")
    outcome, last_line = asyncio.run(execute(notebook, copy, manager, places))
    print(f"{shown(copy.name)}: {outcome}")
    if last_line:
        print(shown(last_line))
    return 0 if outcome == "done" else 1


def read_notebook(path: Path) -> Any:
    """A notebook without what came out of it before.

    Raises:
        WorkhorseError: It is none.
    """
    try:
        notebook = nbformat.reads(read_linked(path, NOTEBOOK_BYTES_MAX).decode(), as_version=4)
    # Of JSON that is something else, the library fails in many ways.
    except Exception as error:
        why = getattr(error, "strerror", None) or "it is no notebook"
        raise WorkhorseError.of(f"{shown(str(path))} can't be read: {why}.", USAGE) from error
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def kernel_of(notebook: Any) -> AsyncKernelManager:
    """The kernel that a notebook names, or the default one, not yet started.

    Raises:
        WorkhorseError: It isn't here.
    """
    name = str(notebook.metadata.get("kernelspec", {}).get("name", DEFAULT_KERNEL))
    kernels = EnvironmentKernelSpecs()
    try:
        kernels.get_kernel_spec(name)
    except NoSuchKernel as error:
        others = shown(", ".join(kernels.find_kernel_specs()))
        raise WorkhorseError.of(
            f"The notebook's kernel {shown(name)!r} is not here.",
            f"Choose another in its page and save it. Those that are here: {others}",
        ) from error
    return AsyncKernelManager(kernel_name=name, kernel_spec_manager=kernels)


def copy_of(path: Path, now: datetime) -> Path:
    """Where what comes out goes to: no file that is there already."""
    stem = f"{path.stem}-run-{now:%Y-%m-%d-%H%M%S}"
    names = (f"{stem}{number or ''}{path.suffix}" for number in range(1000))
    return next(path.with_name(name) for name in names if not path.with_name(name).exists())


def save(notebook: Any, path: Path) -> None:
    """Raises WorkhorseError: the folder can't be written to."""
    try:
        with replacing(path) as file:
            file.write(nbformat.writes(notebook))
    except OSError as error:
        raise WorkhorseError.of(
            f"{shown(str(path))} can't be written: {error.strerror}.", "Copy the notebook to a folder of your own."
        ) from error


async def execute(notebook: Any, copy: Path, manager: AsyncKernelManager, places: Places) -> tuple[Outcome, str]:
    """Runs every cell; how it has ended, and with which line."""
    await manager.start_kernel(cwd=str(copy.parent))
    cells = len(notebook.cells)

    def tell(cell: Any, cell_index: int, **_: Any) -> None:
        if cell.cell_type == "code":
            print(f"Cell {cell_index + 1} of {cells}", flush=True)

    client = NotebookClient(
        notebook,
        km=manager,
        timeout=None,
        on_cell_start=tell,
        on_cell_executed=lambda **_: save(notebook, copy),
    )
    with told_of(places, copy, manager) as end:
        outcome = await _outcome(client)
        save(notebook, copy)
        end += [outcome, last_line(notebook)]
    return outcome, last_line(notebook)


async def _outcome(client: NotebookClient) -> Outcome:
    try:
        await client.async_execute(cleanup_kc=True)
    except CellExecutionError:
        return "failed"
    except (DeadKernelError, RuntimeError):
        return "killed"
    return "done"


def last_line(notebook: Any) -> str:
    """The last one that the cells have printed, or the error that ended them."""
    outputs = [each for cell in notebook.cells if cell.cell_type == "code" for each in cell.outputs]
    for output in reversed(outputs):
        text = str(output.get("text") or output.get("data", {}).get("text/plain") or "")
        if output.output_type == "error":
            text = f"{output.ename}: {output.evalue}"
        if lines := text.strip().splitlines():
            return lines[-1]
    return ""


@contextmanager
def told_of(places: Places, copy: Path, manager: AsyncKernelManager) -> Iterator[list[str]]:
    """Lets the kernels' server know of a run, for as long as it lasts, and then of what it puts into the list."""
    end: list[str] = []
    with closing(http.client.HTTPConnection("localhost")) as telling:
        try:
            telling.sock = connected(places.kernels_socket, SECONDS)
            root = places.repositories
            path = copy.relative_to(root) if copy.is_relative_to(root) else copy
            spec = manager.kernel_spec.display_name
            # A name on Linux may be anything.
            what = {"path": str(path).encode(errors="replace"), "kernel": spec, "process": manager.provisioner.pid}
            telling.putrequest("POST", f"{PATH}?{urlencode(what)}")
            telling.putheader("Transfer-Encoding", "chunked")
            telling.endheaders()
        except OSError as error:
            print(f"'workhorse status' can't list this run: {error.strerror}.", file=sys.stderr)
            yield end
            return
        yield end
        said = json.dumps(end).encode()
        # Whoever was to be told may have ended meanwhile; what came out is saved.
        with suppress(OSError, http.client.HTTPException):
            telling.send(b"%x\r\n%s\r\n0\r\n\r\n" % (len(said), said))
            telling.getresponse().read()
