"""The kernels on offer: one for every environment that holds one, found where it lies, without registration."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from glob import glob
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.provisioning import KernelProvisionerFactory
from jupyter_core.paths import jupyter_path
from jupyter_server.services.kernelspecs.handlers import kernelspec_model
from tornado.web import HTTPError
from traitlets import Float, List, Unicode

from entrypoint.files.untrusted import read_untrusted
from entrypoint.home.home import DEFAULT_ENVIRONMENT, venv_of
from entrypoint.home.kernel_files import VENV_NAMES, Kernel, environment_kernel, registered_kernel
from entrypoint.jupyter.errands import Errands, ends_within

# As deep as the folder of a project in the folder of a group or a person.
PROJECTS = ("~", "~/*", "/repositories", "/repositories/*", "/repositories/*/*")
# What pip adds to the default environment lies in ~/venv, which is the first.
PATTERNS = (
    "~/venv",
    "/opt/conda/envs/*",
    "~/.conda/envs/*",
    *(f"{project}/{name}" for project in PROJECTS for name in VENV_NAMES),
)
REGISTRY_BYTES_MAX = 1 << 16
# The launcher waits for the list.
SECONDS = 10.0
FOLDER = "/repositories"

Specs = Mapping[str, KernelSpec]


class EnvironmentKernelSpecs(KernelSpecManager):
    """Kernel specs of conda environments and virtual environments, besides those that a person registered."""

    ensure_native_kernel = False

    patterns = List(Unicode(), list(PATTERNS), config=True, help="Where environments are looked for.")
    registry = Unicode(
        "~/.conda/environments.txt", config=True, help="Conda's own list, which holds those made with -p too."
    )
    seconds_to_keep = Float(3, config=True, help="How long a list of kernels is served before it is made again.")

    # What was left out when the list was last made, and why.
    left_out: Mapping[Path, str] = MappingProxyType({})
    _specs: Specs = MappingProxyType({})
    # The same as Jupyter's API gives them, with the pictures that it would otherwise look for without a bound.
    _models: Mapping[str, dict[str, Any]] = MappingProxyType({})
    _fresh_until = 0.0
    _looking: asyncio.Task[Any] | None = None

    def _kernel_dirs_default(self) -> list[str]:
        """Jupyter's own places without the server's environment, whose kernel is not for people.

        Its own list asks IPython for its folder, which makes one in a home that is untouched.
        """
        folders = [*jupyter_path("kernels"), str(Path.home() / ".ipython" / "kernels")]
        return [folder for folder in folders if not folder.startswith(sys.prefix + os.sep)]

    def find_kernel_specs(self) -> dict[str, str]:
        return {name: spec.resource_dir for name, spec in self._known().items()}

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        specs = self._known()
        spec = specs.get(kernel_name) or specs.get(kernel_name.lower())
        if spec is None:
            raise NoSuchKernel(kernel_name)
        return spec

    async def get_all_specs(self) -> dict[str, dict[str, Any]]:
        await self.refresh()
        return dict(self._models)

    async def refresh(self) -> Specs:
        """The list, made anew beside the event loop where it is due; else the last, where a disk doesn't answer.

        Raises:
            HTTPError: It doesn't answer, and there is no list yet.
        """
        # One look at a time, or those of all browsers would wait for the same disk.
        if self._looking is None or self._looking.done():
            errand = Errands.of_the_server().run(self._look, [FOLDER], seconds=None)
            self._looking = asyncio.ensure_future(errand)
        if not (await ends_within(self._looking, SECONDS) or self._specs):
            raise HTTPError(503, f"The disk of {FOLDER} has not answered for {SECONDS:g} seconds.")
        return self._specs

    def _known(self) -> Specs:
        """What the last look found, for whoever asks in the event loop, where no disk may be waited for."""
        return self._specs if self._specs and _is_in_loop() else self._look()

    def _look(self) -> Specs:
        if time.monotonic() > self._fresh_until:
            left_out: dict[Path, str] = {}
            self._specs = dict(self._registered_specs(left_out)) | dict(self._environment_specs(left_out))
            for file in (file for file, reason in left_out.items() if self.left_out.get(file) != reason):
                self.log.warning("%s", sentence(file, left_out[file]))
            self.left_out = left_out
            self._models = {name: self._model(name, spec) for name, spec in self._specs.items()}
            self._fresh_until = time.monotonic() + self.seconds_to_keep
        return self._specs

    def _model(self, name: str, spec: KernelSpec) -> dict[str, Any]:
        handler = SimpleNamespace(base_url=getattr(self.parent, "base_url", "/"))
        model: dict[str, Any] = kernelspec_model(handler, name, spec.to_dict(), spec.resource_dir)
        return model

    def _registered_specs(self, left_out: dict[Path, str]) -> Iterator[tuple[str, KernelSpec]]:
        registered: dict[str, str] = {}
        with noting(Path(self.user_kernel_dir), left_out):
            registered = super().find_kernel_specs()
        for name, folder in registered.items():
            file = Path(folder, "kernel.json")
            with noting(file, left_out):
                yield name, self._spec(file, registered_kernel(file))

    def _environment_specs(self, left_out: dict[Path, str]) -> Iterator[tuple[str, KernelSpec]]:
        home, taken = Path.home(), set[str]()
        for prefix in self._prefixes(left_out):
            for file in sorted(prefix.glob("share/jupyter/kernels/*/kernel.json")):
                with noting(file, left_out):
                    name, kernel = environment_kernel(prefix, file, home)
                    spec = self._spec(file, kernel)
                    if name in taken and prefix == venv_of(home):
                        # The default environment's own, which runs what pip put over it anyway.
                        continue
                    while name in taken:
                        name += "-"
                    taken.add(name)
                    yield name, spec

    def _spec(self, file: Path, kernel: Kernel) -> KernelSpec:
        known = {name: value for name, value in kernel.items() if KernelSpec.class_traits().get(name)}
        spec = KernelSpec(**known | {"resource_dir": str(file.parent)})
        if not KernelProvisionerFactory.instance(parent=self.parent).is_provisioner_available(spec):
            raise ValueError("what starts it (its kernel_provisioner) is not in the server")
        return spec

    def _prefixes(self, left_out: dict[Path, str]) -> list[Path]:
        found = [path for pattern in self.patterns for path in sorted(glob(os.path.expanduser(pattern)))]
        registry = Path(self.registry).expanduser()
        with noting(registry, left_out), suppress(FileNotFoundError):
            found += read_untrusted(registry, REGISTRY_BYTES_MAX, follow=True).decode().splitlines()
        return list(dict.fromkeys([DEFAULT_ENVIRONMENT, *map(Path, filter(None, found))]))


@contextmanager
def noting(file: Path, left_out: dict[Path, str]) -> Iterator[None]:
    """Goes on without a file, whatever it is that Jupyter doesn't take of what others wrote."""
    try:
        yield
    except Exception as error:
        left_out[file] = getattr(error, "strerror", None) or str(error) or type(error).__name__


def sentence(file: Path, reason: str) -> str:
    """What a person is told; names are quoted, since others chose them."""
    return f"{str(file)!r} is left out: {reason}."


def _is_in_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
