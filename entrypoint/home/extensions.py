"""Extensions of JupyterLab's with a half in its server: where a person's own lie, and what became of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from entrypoint.files.public import write_public
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home import labextensions
from entrypoint.home.home import worlds_of
from entrypoint.home.package_names import canonical

SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"


@dataclass(frozen=True)
class LeftOut:
    """An extension that the server runs without."""

    reason: str
    # It took the server with it, and isn't tried again before something is installed anew.
    is_fatal: bool = False


@dataclass(frozen=True)
class Extensions:
    """Each change makes a folder beside the one in use, whole, and then lets `current` lead there."""

    folder: Path

    @classmethod
    def of(cls, home: Path) -> Extensions:
        return cls(home / ".local/share/workhorse/extensions")

    @property
    def current(self) -> Path:
        return self.folder / "current"

    @property
    def site(self) -> Path:
        return self.current / SITE

    @property
    def asked(self) -> Path:
        """The packages that the person named, a line each, in each of the folders."""
        return self.current / "asked.txt"

    @property
    def server(self) -> Path:
        """What JupyterLab's server holds, as constraints for pip: the running server writes it when it is asked."""
        return self.folder / "server.txt"

    def ask(self) -> None:
        """Asks the running server what it holds now."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.server.unlink(missing_ok=True)

    def is_asked_for(self) -> bool:
        return self.folder.is_dir() and not os.path.lexists(self.server)

    @property
    def loading(self) -> Path:
        """The name of the one that is being loaded; it stays where that ends the server."""
        return self.folder / "loading"

    @property
    def report(self) -> Path:
        return self.folder / "left-out.json"

    def generation(self) -> str:
        """Which folder is in use; empty where there is none."""
        try:
            return os.readlink(self.current)
        except OSError:
            return ""

    def names(self) -> list[str]:
        try:
            return read_untrusted(self.asked).decode().split()
        except (OSError, UnicodeDecodeError):
            return []

    def modules(self) -> list[str]:
        """What the server is to load."""
        return sorted(set(labextensions.asked_of_the_server(self.current)))

    def has(self, package: str) -> bool:
        """Whether the server finds a package here."""
        return labextensions.is_the_server_s(package) or bool(self._packages() & {canonical(package)})

    def _packages(self) -> set[str]:
        return {canonical(each.name.partition("-")[0].removesuffix(".py")) for each in self.site.glob("*")}

    def is_for_another_python(self) -> bool:
        """Whether an update of the image has brought another than they were installed for."""
        return any(self.current.glob("lib/python3*")) and not self.site.is_dir()

    def left_out(self) -> dict[str, LeftOut]:
        """By module; what was told of an earlier folder counts no more."""
        try:
            told = json.loads(read_untrusted(self.report))
            if told["generation"] != self.generation():
                return {}
            return {str(name): LeftOut(str(reason), fatal is True) for name, reason, fatal in told["left_out"]}
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            return {}

    def tell(self, left_out: dict[str, LeftOut]) -> None:
        """Keeps it for the server of what runs, which tells people."""
        rows = [(name, each.reason, each.is_fatal) for name, each in sorted(left_out.items())]
        text = json.dumps({"generation": self.generation(), "left_out": rows})
        # A full disk is told elsewhere.
        with suppress(OSError):
            write_public(self.report, text.encode())


def tell(home: Path) -> Iterator[str]:
    """A line about each extension that doesn't work, wherever the person has installed it."""
    extensions = Extensions.of(home)
    yield from labextensions.tell(worlds_of(home), extensions.has)
    yield from tell_of_left_out(extensions)


def tell_of_left_out(extensions: Extensions) -> Iterator[str]:
    if extensions.is_for_another_python():
        yield "JupyterLab has got another Python, and none of its extensions. In a terminal: workhorse extension update"
    for name, each in extensions.left_out().items():
        yield sentence(name, each)


def sentence(name: str, each: LeftOut) -> str:
    """What a person is told."""
    return (
        f"JupyterLab runs without the extension {shown(name)}: {each.reason}. "
        "In a terminal: workhorse extension update, or workhorse extension remove NAME"
    )
