"""What is worth telling in JupyterLab's page, by the way that it has for news: each text once."""

from __future__ import annotations

import asyncio
import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from entrypoint.files.untrusted import shown
from entrypoint.login.guarded import GuardedHandler
from entrypoint.login.logins import last_before_this
from entrypoint.proxy.asking import NoAnswerError, ask_kernels

PATH = "/lab/api/news"
ASKED = "/workhorse/news"
# JupyterLab asks once for each page, beside all else, so nobody waits for it; what runs may have to start first.
SECONDS = 10.0
BYTES_MAX, TEXTS_MAX, CHARACTERS_MAX = 64 * 1024, 20, 1000
ASKING_AT_ONCE = 2


class NewsHandler(GuardedHandler):
    """Tells of the login before, and of what the kernels' server leaves out that the person may look for."""

    threads = ThreadPoolExecutor(ASKING_AT_ONCE)

    async def get(self) -> None:
        login = last_before_this(self.door.logins)
        ask = asyncio.get_running_loop().run_in_executor
        texts = [*([login] if login else []), *await ask(self.threads, self._of_kernels)]
        self.set_header("Cache-Control", "no-store")
        self.finish({"news": list(map(notice, texts))})

    def _of_kernels(self) -> list[str]:
        try:
            return told(ask_kernels(self.passage.upstreams.kernels.path, ASKED, SECONDS, BYTES_MAX))
        except NoAnswerError:
            return []


def told(answer: object) -> list[str]:
    """What can be shown of a lab's answer, which may be anything."""
    texts = answer if isinstance(answer, list) else []
    return [shown(text, CHARACTERS_MAX) for text in texts if isinstance(text, str)][:TEXTS_MAX]


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
