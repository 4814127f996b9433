"""What a person, or JupyterLab's own code, is told where there is no answer of the lab's to pass on."""

from __future__ import annotations

from dataclasses import dataclass

from tornado.httputil import HTTPServerRequest

# The page asks again by itself; who asks waits for the lab anyway.
AGAIN_SECONDS = 10


@dataclass(frozen=True)
class Trouble:
    """What is wrong, and what to do about it."""

    status: int
    wrong: str
    remedy: str
    command: str = ""

    @property
    def message(self) -> str:
        return " ".join(filter(None, (self.wrong, self.remedy, self.command)))


ABSENT = Trouble(
    503,
    "JupyterLab doesn't answer. It may be starting, or have stopped.",
    "Wait for a minute. If it doesn't come back, run this where Workhorse is installed, and read what it says:",
    "docker compose logs lab",
)
BROKEN = Trouble(
    502,
    "JupyterLab hung up, or gave an answer that can't be read.",
    "Try again. If it happens again, run this where Workhorse is installed, and read what it says:",
    "docker compose logs lab",
)
BUSY = Trouble(503, "Too many pages and notebooks are open at once.", "Close some, then load this page again.")


def is_page(request: HTTPServerRequest) -> bool:
    """Whether a person looks at what is answered, and not a script (Fetch Metadata Request Headers, W3C)."""
    mode = request.headers.get("Sec-Fetch-Mode")
    is_html = "text/html" in request.headers.get("Accept", "")
    return request.method in ("GET", "HEAD") and (mode == "navigate" if mode else is_html)
