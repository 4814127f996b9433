"""What is worth telling in the page, by the way that JupyterLab has for news: each text once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jupyterlab.handlers.announcements import NewsHandler
from jupyterlab_server import config  # type: ignore[import-not-found]
from tornado.web import authenticated

from entrypoint.files.places import Places
from entrypoint.home import labextensions, worlds_of
from entrypoint.home.labextensions import Labextensions
from entrypoint.lab.kernel_specs import sentence
from entrypoint.login.logins import last_before_this, read_logins

LEFT_OUT_SHOWN = 3


def tell_news(web_app: Any, places: Places) -> None:
    """Puts this in the place of Jupyter's news, which nobody asks the internet for."""
    worlds, logged = worlds_of(places.home), set[str]()

    @authenticated
    async def get(handler: Any) -> None:
        """Tells of the login before, and of what is left out that the person may look for."""
        kernels = handler.kernel_spec_manager
        await kernels.refresh()
        lacking = await asyncio.to_thread(lambda: list(labextensions.tell(worlds)))
        for text in (text for text in lacking if text not in logged):
            handler.log.warning("%s", text)
        logged.update(lacking)
        login = last_before_this(read_logins(places.logins))
        texts = [*([login] if login else []), *kernels_left_out(kernels.left_out), *lacking]
        handler.finish({"news": list(map(notice, texts))})

    NewsHandler.get = get
    extensions = Labextensions(worlds)
    config.get_federated_extensions = extensions.find
    web_app.settings["page_config_hook"] = extensions.disable


def kernels_left_out(reasons: Mapping[Path, str]) -> Iterator[str]:
    for file in list(reasons)[:LEFT_OUT_SHOWN]:
        yield sentence(file, reasons[file])
    if (more := len(reasons) - LEFT_OUT_SHOWN) > 0:
        yield f"Kernels that are left out besides: {more}. The log names them: docker compose logs workhorse"


def notice(text: str) -> dict[str, Any]:
    """A notification in JupyterLab's form; each text has an id, so that it shows once."""
    now = time.time() * 1000
    is_quiet = text.startswith("Last login") and " since: " not in text
    return {
        "message": text,
        "type": "info" if is_quiet else "warning",
        "createdAt": now,
        "modifiedAt": now,
        "link": [],
        "options": {"data": {"id": hashlib.sha256(text.encode(errors="replace")).hexdigest(), "tags": ["news"]}},
    }
