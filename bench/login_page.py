"""Pages as a browser meets them: over a fresh connection each time, with the certificate verified."""

from __future__ import annotations

import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from docker.models.containers import Container

from bench.contestants import run_inside

HOST = "127.0.0.1"
POLL_SECONDS = 0.01
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class Page:
    """Where a page is, the login's unless told otherwise, and what it holds; without TLS where there is no context."""

    port: int
    tls: ssl.SSLContext | None = None
    path: str = "/login"
    holds: bytes = b'name="password"'
    cookie: str = ""

    def of_jupyterlab(self, cookie: str = "", token: str = "") -> Page:
        """An answer of JupyterLab's own, for who is logged in."""
        path = "/api/status" + (f"?token={token}" if token else "")
        return replace(self, path=path, holds=b'"kernels"', cookie=cookie)

    def answers(self) -> bool:
        connection = self._connection()
        try:
            connection.request("GET", self.path, headers={"Cookie": self.cookie} if self.cookie else {})
            response = connection.getresponse()
            return response.status == 200 and self.holds in response.read()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self.tls:
            return HTTPSConnection(HOST, self.port, timeout=DEADLINE_SECONDS, context=self.tls)
        return HTTPConnection(HOST, self.port, timeout=DEADLINE_SECONDS)


def trusting(container: Container) -> ssl.SSLContext:
    """A context that trusts the private authority of a running Workhorse alone."""
    return ssl.create_default_context(cadata=run_inside(container, ["workhorse", "ca"]))


def blind() -> ssl.SSLContext:
    """A context for the very first start, before which there is no authority to trust; verify afterwards."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def start(containers: Sequence[Container], page: Page) -> float:
    """Starts containers at once, as Compose does, and returns the seconds until the first one's page has answered."""
    with ThreadPoolExecutor(len(containers)) as starters:
        began = time.perf_counter()
        started = [starters.submit(each.start) for each in containers]
        # Whoever asks before its network is there waits for the second time that ARP asks, a second later.
        started[0].result()
        while not page.answers():
            if time.perf_counter() - began > DEADLINE_SECONDS:
                raise TimeoutError(f"no page within {DEADLINE_SECONDS} s:\n{[each.logs() for each in containers]!r}")
            time.sleep(POLL_SECONDS)
        seconds = time.perf_counter() - began
        for each in started:
            each.result()
    return seconds


def end(containers: Sequence[Container]) -> None:
    """Ends servers at once; how they stop is measured nowhere."""
    for each in containers:
        each.kill()
    for each in containers:
        each.wait()
