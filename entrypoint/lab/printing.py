"""Sets HTML in pages, from stdin to stdout, as a process of its own, which asks no network and reads no other file."""

from __future__ import annotations

import base64
import re
import resource
import sys
from html import escape, unescape

import ziamath  # type: ignore[import-not-found]
from weasyprint import HTML  # type: ignore[import-not-found]
from weasyprint.urls import URLFetcher  # type: ignore[import-not-found]

MEMORY_BYTES_MAX = 4 << 30
# As entrypoint/lab/pdf.py marks them.
FORMULA = re.compile(r'<(span|div) class="tex">(.*?)</\1>', re.S)
POINTS, DISPLAYED_POINTS = 10, 11


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES_MAX, MEMORY_BYTES_MAX))
    html = FORMULA.sub(drawn, sys.stdin.buffer.read().decode())
    # Pictures come with it; what lies elsewhere, nobody has said that it may be asked for.
    fetcher = URLFetcher(allowed_protocols=["data"])
    sys.stdout.buffer.write(HTML(string=html, url_fetcher=fetcher).write_pdf())


def drawn(found: re.Match[str]) -> str:
    """A formula as a picture; one that can't be read, as it was written."""
    is_displayed = found[1] == "div"
    text = unescape(found[2]).strip()
    try:
        formula = ziamath.Latex(text, size=DISPLAYED_POINTS if is_displayed else POINTS, inline=not is_displayed)
        svg = base64.b64encode(formula.svg().encode()).decode()
        drop = formula.getyofst() - formula.margin
        width, height = (each + 2 * formula.margin for each in formula.getsize())
    # Whatever it is: the text still says it.
    except Exception:
        return f"<{found[1]}><code>{escape(text)}</code></{found[1]}>"
    style = f"width: {width:.1f}pt; height: {height:.1f}pt; vertical-align: {drop:.1f}pt"
    picture = f'<img alt="{escape(text)}" style="{style}" src="data:image/svg+xml;base64,{svg}">'
    return f'<{found[1]} class="tex">{picture}</{found[1]}>'


if __name__ == "__main__":
    main()
