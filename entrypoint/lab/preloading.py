"""What JupyterLab's page needs and asks for late, named in its head, so that a browser asks at once.

The page's script asks for the extensions first, and only then for its own largest part, while a slow line lies idle.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

# Of JupyterLab and of Jupyter Notebook.
CORE = re.compile(r"(jlab|notebook)_core\.(?P<hash>[0-9a-f]+)\.js")
# A page with more of them has other worries, and headers have an end.
EXTENSIONS_MAX = 20


def hints(page_config: dict[str, Any], static: Path) -> str:
    """The value of a `Link` header (RFC 8288; "preload", HTML Living Standard)."""
    scripts = (f"<{quote(url, safe='/?=@')}>; rel=preload; as=script" for url in _scripts(page_config, static))
    answers = (f"<{quote(url)}>; rel=preload; as=fetch; crossorigin" for url in _answers(page_config, static))
    return ", ".join([*scripts, *answers])


def _scripts(page_config: dict[str, Any], static: Path) -> Iterator[str]:
    """To the letter as the page's script will ask for them, or each would come twice."""
    for core in filter(None, (CORE.fullmatch(file.name) for file in sorted(static.glob("*_core.*.js")))):
        yield f"{page_config['fullStaticUrl']}/{core[0]}?v={core['hash']}"
    for each in page_config.get("federated_extensions", [])[:EXTENSIONS_MAX]:
        yield f"{page_config['fullLabextensionsUrl']}/{each['name']}/{each['load']}"


def _answers(page_config: dict[str, Any], static: Path) -> Iterator[str]:
    """What JupyterLab begins with, as KEPT in image/labextension/static/remoteEntry.js asks for it.

    Jupyter Notebook asks for its settings before that is heard.
    """
    if any(static.glob("jlab_core.*.js")):
        yield page_config["fullSettingsUrl"]
    yield f"{page_config['fullTranslationsApiUrl']}/default"
