"""A person's own extensions in JupyterLab's server, which comes up without those that it can't come up with."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial, wraps
from importlib.metadata import distributions
from typing import Any

from jupyter_server.extension.manager import ExtensionPackage
from tornado.ioloop import PeriodicCallback
from traitlets.config import Config

from entrypoint.files.public import write_public
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home.extensions import Extensions, LeftOut, sentence
from entrypoint.home.labextensions import is_the_server_s
from entrypoint.home.package_names import canonical
from entrypoint.jupyter.config import merge
from entrypoint.jupyter.errands import Errands

# In which an extension is imported, linked and loaded (jupyter_server/extension/manager.py).
STEPS = ("_load_metadata", "link_all_points", "load_all_points")
# For each of them; the slowest that are known take a second.
STEP_SECONDS = 60
LOOK_SECONDS = 2.0
ENDED = "it ended JupyterLab's server, or kept it from going on"


class Guests:
    """Those of a person's extensions that this server loads."""

    def __init__(self, extensions: Extensions) -> None:
        self.extensions = extensions
        self.generation = extensions.generation()
        self.modules = extensions.modules()
        self.left_out = {name: each for name, each in extensions.left_out().items() if each.is_fatal}
        with suppress(OSError, UnicodeDecodeError):
            # What the server before this one didn't survive.
            self.left_out[read_untrusted(extensions.loading).decode()] = LeftOut(ENDED, is_fatal=True)
            extensions.loading.unlink()

    def invite(self, config: Config) -> Config:
        """Lets a server with this configuration load them; what they bring comes after whatever the server has."""
        # Without site.addsitedir, whose .pth files would run code outside of what is watched.
        sys.path.append(str(self.extensions.site))
        for step in STEPS:
            setattr(ExtensionPackage, step, self._watched(getattr(ExtensionPackage, step)))
        invited = {name: True for name in self.modules if name not in self.left_out}
        ours = config["ServerApp"].get("jpserver_extensions", {})
        return Config(merge(config, {"ServerApp": {"jpserver_extensions": {**invited, **ours}}}))

    def has(self, package: str) -> bool:
        """Whether this server has a package, and has loaded it as far as it was asked to."""
        is_left_out = any(name.partition(".")[0] == package for name in self.left_out)
        return is_the_server_s(package) and not is_left_out

    def _watched(self, step: Callable[..., Any]) -> Callable[..., Any]:
        @wraps(step)
        def watch(package: Any, *arguments: Any) -> Any:
            if package.name not in self.modules:
                return step(package, *arguments)
            with self._watch(package.name):
                return step(package, *arguments)

        return watch

    @contextmanager
    def _watch(self, name: str) -> Iterator[None]:
        """Jupyter goes on after an exception. What comes to no end is ended, and Docker starts the server again."""
        with suppress(OSError):
            write_public(self.extensions.loading, name.encode())
        signal.alarm(STEP_SECONDS)
        try:
            yield
        except (Exception, SystemExit) as error:
            self.left_out[name] = LeftOut(shown(f"{type(error).__name__}: {error}"))
            raise RuntimeError(f"it is left out: {error}") from error
        finally:
            signal.alarm(0)
            self.extensions.loading.unlink(missing_ok=True)

    def report(self, say: Callable[[str], None]) -> None:
        """What the server runs without, for the log and for the other server."""
        for name, each in self.left_out.items():
            say(sentence(name, each))
        if self.generation:
            self.extensions.tell(self.left_out)

    def follow(self, begin_anew: Callable[[], None]) -> PeriodicCallback:
        """Looks whether the person has changed something.

        Args:
            begin_anew: What takes it up; it doesn't return.
        """

        async def look() -> None:
            run, places = Errands.of_the_server().run, [str(self.extensions.folder)]
            if await run(self.extensions.generation, places) != self.generation:
                begin_anew()
            elif await run(self.extensions.is_asked_for, places):
                await write_down_what_the_server_has(self.extensions)

        looking = PeriodicCallback(look, 1000 * LOOK_SECONDS)
        looking.start()
        return looking


async def write_down_what_the_server_has(extensions: Extensions) -> None:
    """For pip, which runs where this server's packages aren't; `workhorse extension` waits for it."""
    write = partial(_write_down, extensions, [each for each in sys.path if each != str(extensions.site)])
    await Errands.of_the_server().run(write, [str(extensions.folder)])


def _write_down(extensions: Extensions, path: list[str]) -> None:
    found = {canonical(each.name): each.version for each in distributions(path=path) if each.name}
    text = "".join(f"{name}=={version}\n" for name, version in sorted(found.items())).encode()
    with suppress(OSError):
        write_public(extensions.server, text)
