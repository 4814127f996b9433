"""A notebook as a PDF: nbconvert's HTML of it, set in pages by a process of its own (entrypoint/lab/printing.py)."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from html import escape
from typing import Any

from jinja2 import pass_context
from nbconvert.exporters import HTMLExporter
from nbconvert.filters.markdown_mistune import IPythonRenderer, MarkdownWithMath
from nbconvert.preprocessors import Preprocessor
from pygments.formatters.html import HtmlFormatter

PRINT = (sys.executable, "-I", "-m", "entrypoint.lab.printing")
# A hundred pages take some ten.
SECONDS = 300
# What only a script would draw; of what else an output holds, the best is taken.
SCRIPT = "<script"
SHOWN = ("image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/markdown", "text/plain")
STYLE = """
@page { size: A4; margin: 18mm 16mm }
@page { @bottom-center { content: counter(page) " / " counter(pages); font: 8pt sans-serif } }
body { font: 10pt/1.4 "DejaVu Sans", sans-serif; overflow-wrap: break-word }
h1, h2, h3, h4 { break-after: avoid; line-height: 1.2 }
pre, code { font: 8pt/1.35 "DejaVu Sans Mono", monospace; white-space: pre-wrap }
div.input pre { background: #f7f7f7; border: 0.5pt solid #ddd; padding: 4pt }
div.prompt { color: #777; font: 7pt "DejaVu Sans Mono", monospace }
table { border-collapse: collapse; font-size: 7.5pt; margin: 4pt 0 }
th, td { border-bottom: 0.5pt solid #ccc; padding: 2pt 5pt; text-align: right }
img, svg { max-width: 100% }
div.tex { text-align: center; margin: 6pt 0 }
.ansi-red-fg, .ansi-red-intense-fg { color: #b22b31 } .ansi-green-fg { color: #007427 } .ansi-blue-fg { color: #2065d6 }
a { color: #0b5394; text-decoration: none } a.anchor-link { display: none }
"""


class WithMath(IPythonRenderer):
    """Formulas stand apart from the text, so that no price in dollars is taken for one later."""

    def block_math(self, body: str) -> str:
        return displayed(body)

    def latex_environment(self, name: str, body: str) -> str:
        return displayed(f"\\begin{{{name}}}{body}\\end{{{name}}}")

    def inline_math(self, body: str) -> str:
        return f'<span class="tex">{escape(body)}</span>'


def displayed(formula: str) -> str:
    return f'<div class="tex">{escape(formula)}</div>'


class ForPaper(Preprocessor):
    """Of what a cell has put out, what can be seen without a script."""

    def preprocess_cell(self, cell: Any, resources: Any, index: int) -> tuple[Any, Any]:
        for output in cell.get("outputs", []):
            if "data" in output:
                output["data"] = dict(for_paper({name: _joined(each) for name, each in output["data"].items()}))
        return cell, resources


def for_paper(data: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    html = data.get("text/html", "")
    if html and SCRIPT not in html:
        yield "text/html", html
    elif (name := next(filter(data.__contains__, SHOWN), None)) == "text/latex":
        yield "text/html", displayed(data[name].strip().strip("$"))
    elif name:
        yield name, data[name]


def _joined(value: Any) -> Any:
    return "".join(value) if isinstance(value, list) and all(isinstance(each, str) for each in value) else value


class PdfExporter(HTMLExporter):
    """Takes the place of nbconvert's own, which needs a TeX of a gigabyte."""

    export_from_notebook = "PDF"

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, template_name="basic", embed_images=True, preprocessors=[ForPaper])

    @pass_context
    def markdown2html(self, context: Any, source: str) -> str:
        renderer = WithMath(
            escape=False,
            attachments=context.get("cell", {}).get("attachments", {}),
            embed_images=True,
            path=context.get("resources", {}).get("metadata", {}).get("path", ""),
        )
        return str(MarkdownWithMath(renderer=renderer).render(source))

    def from_notebook_node(self, nb: Any, resources: Any = None, **options: Any) -> tuple[bytes, Any]:
        html, resources = super().from_notebook_node(nb, resources, **options)
        # Not before: nbconvert looks for templates by both.
        self.output_mimetype, resources["output_extension"] = "application/pdf", ".pdf"
        title = escape(resources["metadata"].get("name", "Notebook"))
        style = STYLE + HtmlFormatter().get_style_defs(".highlight")
        page = f'<!doctype html><html><head><meta charset="utf-8"><title>{title}</title><style>{style}</style></head>'
        return printed(f"{page}<body>{html}</body></html>"), resources


def printed(html: str) -> bytes:
    try:
        child = subprocess.run(
            PRINT, input=html.encode(errors="replace"), capture_output=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"it took longer than {SECONDS} seconds") from None
    if child.returncode:
        raise RuntimeError(child.stderr.decode(errors="replace").strip().rpartition("\n")[2] or "it ended")
    return child.stdout
