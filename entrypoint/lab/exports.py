"""What notebooks can be exported to here: a format that lacks its program is not offered."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import Any

from jupyter_server.nbconvert import handlers
from jupyter_server.services.nbconvert.handlers import NbconvertRootHandler

# nbconvert's own, by the programs and packages that they call. A person may have installed them.
PROGRAMS = {"asciidoc": {"pandoc"}, "latex": {"pandoc"}, "rst": {"pandoc"}}
PACKAGES = {"qtpdf": {"PyQt5"}, "qtpng": {"PyQt5"}, "webpdf": {"playwright"}}


def offer_exports_that_work() -> None:
    """To be called once. nbconvert itself is loaded when somebody asks, for the start's sake."""
    get = NbconvertRootHandler.get

    @wraps(get)
    async def list_what_works(self: Any) -> None:
        # Not at the top: it takes 0.1 s of each start.
        from nbconvert.exporters import base

        if not hasattr(base.get_export_names, "__wrapped__"):
            base.get_export_names = working(base.get_export_names)
        await get(self)

    NbconvertRootHandler.get = list_what_works
    handlers.get_exporter = with_pdf(handlers.get_exporter)


def with_pdf(get_exporter: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(get_exporter)
    def get_exporter_or_ours(format: str, **options: Any) -> Any:
        if format != "pdf":
            return get_exporter(format, **options)
        from entrypoint.lab.pdf import PdfExporter  # which imports nbconvert

        return PdfExporter(**options)

    return get_exporter_or_ours


def working(names: Callable[..., list[str]]) -> Callable[..., list[str]]:
    @wraps(names)
    def names_that_work(*options: Any) -> list[str]:
        return [each for each in names(*options) if works(each)]

    return names_that_work


def works(name: str) -> bool:
    has_programs = all(map(shutil.which, PROGRAMS.get(name, ())))
    return has_programs and all(map(find_spec, PACKAGES.get(name, ())))
