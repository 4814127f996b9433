"""What JupyterLab imports and nothing here calls: loaded once something does, for the start's sake and memory's."""

from __future__ import annotations

import sys
from collections.abc import Set
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader

# For lists of extensions that are allowed or blocked elsewhere (jupyterlab_server/listings_handler.py).
SELDOM = frozenset({"requests"})


class SeldomFinder:
    """Finds modules as Python does, and leaves their loading to who first uses a name in them (importlib.util)."""

    def __init__(self, names: Set[str]) -> None:
        self.names = names

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name) if name in self.names else None
        if spec and spec.loader:
            spec.loader = LazyLoader(spec.loader)
        return spec


def load_on_use(names: Set[str] = SELDOM) -> None:
    """To be called before they are imported.

    Args:
        names: Of whole packages, each imported in one place: another `import` of it is a use.
    """
    sys.meta_path.insert(0, SeldomFinder(names))
