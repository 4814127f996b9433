"""The kernels on offer: one for every environment that holds one, found where it lies, without registration."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Iterator, Mapping
from glob import escape, glob
from pathlib import Path
from types import MappingProxyType
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager, ServerKernelManager
from traitlets import Float, List, Unicode, default

from entrypoint.home import DEFAULT_ENVIRONMENT, venv_of
from entrypoint.memory import KillWatch, explanation, kill_count

SOCKETS_MAX = 16_384

# What pip adds to the default environment lies in ~/venv. The last is deep enough for a group's or a person's folder.
PATTERNS = (
    "~/venv",
    "/opt/conda/envs/*",
    "~/.conda/envs/*",
    "~/.venv",
    "~/*/.venv",
    "/repositories/.venv",
    "/repositories/*/.venv",
    "/repositories/*/*/.venv",
)

# conda-forge's packages set variables (GDAL_DATA and the like) when their environment is activated.
ACTIVATE = 'for f in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do . "$f"; done; exec "$@"'


class EnvironmentKernelSpecs(KernelSpecManager):
    """Kernel specs of conda environments and virtual environments, besides those that a person registered."""

    ensure_native_kernel = False

    patterns = List(Unicode(), list(PATTERNS), config=True, help="Where environments are looked for.")
    registry = Unicode(
        "~/.conda/environments.txt", config=True, help="Conda's own list, which holds those made with -p too."
    )
    seconds_to_keep = Float(3, config=True, help="How long a list of kernels is served before it is made again.")

    _specs: Mapping[str, KernelSpec] = MappingProxyType({})
    _fresh_until = 0.0

    def _kernel_dirs_default(self) -> list[str]:
        """Jupyter's own places without the server's environment, whose kernel is not for people."""
        folders: list[str] = super()._kernel_dirs_default()
        return [folder for folder in folders if not folder.startswith(sys.prefix + os.sep)]

    def find_kernel_specs(self) -> dict[str, str]:
        registered: dict[str, str] = super().find_kernel_specs()
        return registered | {name: spec.resource_dir for name, spec in self._environment_specs().items()}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return self._environment_specs().get(kernel_name) or super().get_kernel_spec(kernel_name)

    def get_all_specs(self) -> dict[str, dict[str, Any]]:
        specs = {}
        for name, folder in self.find_kernel_specs().items():
            try:
                specs[name] = {"resource_dir": folder, "spec": self.get_kernel_spec(name).to_dict()}
            except (NoSuchKernel, OSError, ValueError) as error:
                self.log.warning("The kernel '%s' in %s is left out: %s", name, folder, error)
        return specs

    def _environment_specs(self) -> Mapping[str, KernelSpec]:
        if time.monotonic() > self._fresh_until:
            self._specs = dict(self._read_specs())
            self._fresh_until = time.monotonic() + self.seconds_to_keep
        return self._specs

    def _read_specs(self) -> Iterator[tuple[str, KernelSpec]]:
        taken: set[str] = set()
        for prefix in self._prefixes():
            for file in sorted(prefix.glob("share/jupyter/kernels/*/kernel.json")):
                try:
                    name, spec = environment_spec(prefix, file, Path.home())
                except (OSError, ValueError, LookupError, TypeError) as error:
                    self.log.warning("The kernel in %s is left out: %s", file, error)
                    continue
                if name in taken and prefix == venv_of(Path.home()):
                    # The default environment's own, which runs what pip put over it anyway.
                    continue
                while name in taken:
                    name += "-"
                taken.add(name)
                yield name, spec

    def _prefixes(self) -> list[Path]:
        found = [path for pattern in self.patterns for path in sorted(glob(os.path.expanduser(pattern)))]
        with contextlib.suppress(OSError):
            found += Path(self.registry).expanduser().read_text().splitlines()
        return list(dict.fromkeys([DEFAULT_ENVIRONMENT, *map(Path, filter(None, found))]))


def environment_spec(prefix: Path, file: Path, home: Path) -> tuple[str, KernelSpec]:
    """The kernel spec of one environment, with its own interpreter, PATH and conda activation."""
    spec: dict[str, Any] = json.loads(file.read_text())
    interpreter, *arguments = spec["argv"]
    if prefix in (DEFAULT_ENVIRONMENT, venv_of(home)):
        name, label, folders = file.parent.name, "", [venv_of(home), DEFAULT_ENVIRONMENT]
    else:
        label = prefix.parent.name if prefix.name == ".venv" else prefix.name
        name = re.sub(r"[^a-z0-9._-]+", "-", f"{label}-{file.parent.name}".lower())
        folders = [prefix]
    argv = [_interpreter(interpreter, folders), *arguments]
    variables = _variables(folders)
    if glob(f"{escape(str(folders[-1]))}/etc/conda/activate.d/*.sh"):
        argv = ["/bin/bash", "-c", ACTIVATE, "kernel", *argv]
    title = spec["display_name"].removesuffix(" (ipykernel)") + (f" [{label}]" if label else "")
    changed = {"argv": argv, "env": {**variables, **spec.get("env", {})}, "display_name": title}
    return name, KernelSpec(resource_dir=str(file.parent), **{**spec, **changed})


def _interpreter(name: str, folders: list[Path]) -> str:
    """The program of the first environment that has it, as kernel specs name it bare or by its full path."""
    candidates = [str(folder / "bin" / Path(name).name) for folder in folders]
    return next((candidate for candidate in candidates if os.access(candidate, os.X_OK)), name)


def _variables(folders: list[Path]) -> dict[str, str]:
    """What activation would set; the last folder is the environment itself."""
    prefix = folders[-1]
    path = os.pathsep.join([*(str(folder / "bin") for folder in folders), os.environ.get("PATH", os.defpath)])
    if (prefix / "conda-meta").is_dir():
        return {"PATH": path, "CONDA_PREFIX": str(prefix), "CONDA_DEFAULT_ENV": prefix.name}
    return {"PATH": path, "VIRTUAL_ENV": str(prefix)}


class ExpendableKernel(ServerKernelManager):
    """A kernel that the system ends before the server when memory runs out."""

    watch = KillWatch(0)
    was_killed_for_memory = False
    # Whether nobody was there to be told, and the header of the last request to run a cell.
    untold = False
    last_execution: Mapping[str, Any] = MappingProxyType({})

    async def _async_launch_kernel(self, kernel_cmd: list[str], **options: Any) -> None:
        self.watch = KillWatch(kill_count())
        # Anyone may make a process more likely to be chosen, and its children are so too (proc(5), oom_score_adj).
        await super()._async_launch_kernel(["choom", "-n", "500", "--", *kernel_cmd], **options)

    async def is_alive(self) -> bool:
        """Jupyter's own, asked every 3 seconds, which besides finds out what a dead kernel died of."""
        alive: bool = await super().is_alive()
        now = time.monotonic()
        self.watch.note(kill_count(), now)
        if not alive:
            status = await self.provisioner.poll() if self.provisioner else None
            self.was_killed_for_memory = self.watch.explains(status, now)
        return alive


class NamedKernels(AsyncMappingKernelManager):
    """Jupyter's kernels, whose failures name the kernel and its environment."""

    @default("context")
    def _context_default(self) -> Any:
        context = super()._context_default()
        # Four for each websocket; ZeroMQ's own limit of 1023 would refuse the 250th open notebook.
        context.max_sockets = SOCKETS_MAX
        return context

    async def _finish_kernel_start(self, kernel_id: str) -> None:
        await super()._finish_kernel_start(kernel_id)
        # Before any connection's, which tell the person.
        if kernel_id in self:
            self.add_restart_callback(kernel_id, lambda: self._note_kill(kernel_id))

    def _note_kill(self, kernel_id: str) -> None:
        kernel = self.get_kernel(kernel_id)
        if kernel.was_killed_for_memory:
            self.log.warning("Kernel '%s' %s: %s", kernel.kernel_spec.display_name, kernel_id, explanation())
            kernel.untold = True

    def _handle_kernel_died(self, kernel_id: str) -> None:
        spec = self.get_kernel(kernel_id).kernel_spec
        self.log.error(
            "The kernel '%s' does not start. It belongs to %s; what it said itself stands above.",
            spec.display_name,
            Path(spec.resource_dir).parents[3],
        )
        super()._handle_kernel_died(kernel_id)
