"""What a person, or JupyterLab's own code, is told where there is no answer of Jupyter's to pass on."""

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


NAMES = {"lab": "JupyterLab", "kernels": "What runs your kernels", "scheduler": "The cluster's scheduler"}
BUSY = Trouble(503, "Too many pages and notebooks are open at once.", "Close some, then load this page again.")


def absent(service: str) -> Trouble:
    """Nobody answers.

    Args:
        service: Compose's name of who should.
    """
    return Trouble(
        503,
        f"{NAMES[service]} doesn't answer. It may be starting, or have stopped.",
        "Wait for a minute. If it doesn't come back, run this where Workhorse is installed, and read what it says:",
        f"docker compose logs {service}",
    )


def broken(service: str) -> Trouble:
    """What answers makes no sense."""
    return Trouble(
        502,
        f"{NAMES[service]} hung up, or gave an answer that can't be read.",
        "Try again. If it happens again, run this where Workhorse is installed, and read what it says:",
        f"docker compose logs {service}",
    )


def is_page(request: HTTPServerRequest) -> bool:
    """Whether a person looks at what is answered, and not a script (Fetch Metadata Request Headers, W3C)."""
    mode = request.headers.get("Sec-Fetch-Mode")
    is_html = "text/html" in request.headers.get("Accept", "")
    return request.method in ("GET", "HEAD") and (mode == "navigate" if mode else is_html)
