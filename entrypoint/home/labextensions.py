"""What a person installed for JupyterLab, without what lacks its half in the server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from entrypoint.files.untrusted import read_untrusted
from entrypoint.home.package_names import canonical

NAME_LENGTH_MAX = 80
# What JupyterLab's own server loads, which the server of kernels hasn't got.
OF_THE_LAB = {"jupyterlab", "notebook", "notebook_shim"}
Has = Callable[[str], bool]


def is_the_server_s(package: str) -> bool:
    return package in OF_THE_LAB or bool(find_spec(package))


def missing_halves(worlds: Iterable[Path], has: Has = is_the_server_s) -> set[str]:
    """The packages that ask the server to load them, and that it doesn't have."""
    asked = {module.partition(".")[0] for world in worlds for module in asked_of_the_server(world)}
    return {package for package in asked if not has(package)}


def asked_of_the_server(world: Path) -> Iterator[str]:
    for file in sorted(world.glob("etc/jupyter/jupyter_server_config.d/*.json")):
        extensions = _dict(_dict(_read(file).get("ServerApp")).get("jpserver_extensions"))
        yield from (name for name, is_on in extensions.items() if is_on is True and _is_module(name))


def _is_module(name: str) -> bool:
    return len(name) <= NAME_LENGTH_MAX and all(part.isidentifier() for part in name.split("."))


def language_packs(worlds: Iterable[Path]) -> set[str]:
    """JupyterLab's languages that lie where the server doesn't look for them."""
    pattern = "lib/python3*/site-packages/jupyterlab_language_pack_*.dist-info"
    names = {folder.name.partition("-")[0] for world in worlds for folder in world.glob(pattern)}
    return {name.replace("_", "-") for name in names if _is_module(name)}


def tell(worlds: tuple[Path, ...], has: Has = is_the_server_s) -> Iterator[str]:
    """A line about each package that doesn't work where it lies."""
    for package in sorted(missing_halves(worlds, has)):
        yield f"{package} can't work from here: half of it has to be in JupyterLab's server. {_install(package)}"
    for pack in sorted(each for each in language_packs(worlds) if not has(each.replace("-", "_"))):
        yield f"{pack} does nothing here: languages are JupyterLab's server's. {_install(pack)}"


def _install(package: str) -> str:
    return f"In a terminal: workhorse extension install {package}; to be rid of this notice: pip uninstall {package}"


class Labextensions:
    """Takes the place of JupyterLab's own search, which one damaged file stops for good."""

    def __init__(self, worlds: tuple[Path, ...], has: Has = is_the_server_s) -> None:
        self.worlds, self.has = worlds, has
        self.left_out: set[str] = set()

    def find(self, folders: Iterable[str]) -> dict[str, dict[str, Any]]:
        """What the page loads, by name; of two with one name, that of the earlier folder."""
        found: dict[str, dict[str, Any]] = {}
        for file in (file for folder in folders for each in ("*", "@*/*") for file in _packages(folder, each)):
            package = _read(file)
            jupyterlab = _dict(package.get("jupyterlab"))
            if (name := _text(package.get("name"))) and _text(_dict(jupyterlab.get("_build")).get("load")):
                install = _read(file.with_name("install.json"))
                found.setdefault(name, {"name": name, "jupyterlab": jupyterlab, "install": install})
        missing = set(map(canonical, missing_halves(self.worlds, self.has)))
        self.left_out = {name for name, each in found.items() if missing.intersection(_names(each))}
        return {name: each for name, each in found.items() if name not in self.left_out}

    def disable(self, _handler: object, page_config: dict[str, Any]) -> dict[str, Any]:
        """Keeps the menus and shortcuts of what is left out from the page, too."""
        disabled = page_config.get("disabledExtensions", [])
        return page_config | {"disabledExtensions": [*disabled, *sorted(self.left_out)]}


def _packages(folder: str, pattern: str) -> list[Path]:
    return sorted(Path(folder).glob(f"{pattern}/package.json"))


def _names(extension: dict[str, Any]) -> Iterator[str]:
    """By which names its Python package may go: no one field holds it in every labextension."""
    discovery = _dict(_dict(extension["jupyterlab"].get("discovery")).get("server"))
    yield canonical(extension["name"].rpartition("/")[2])
    yield canonical(_text(_dict(discovery.get("base")).get("name")))
    yield canonical(_text(extension["install"].get("packageName")))


def _read(file: Path) -> dict[str, Any]:
    try:
        return _dict(json.loads(read_untrusted(file, follow=True)))
    except (OSError, ValueError, RecursionError):
        return {}


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
