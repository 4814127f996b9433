"""The login page as a browser meets it: over a fresh connection each time, with the certificate verified."""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection

from docker.models.containers import Container

from bench.contestants import run_inside

POLL_SECONDS = 0.01
DEADLINE_SECONDS = 60


@dataclass(frozen=True)
class LoginPage:
    """Where the page is; without TLS where there is no context."""

    port: int
    tls: ssl.SSLContext | None = None

    def answers(self) -> bool:
        connection = self._connection()
        try:
            connection.request("GET", "/login")
            response = connection.getresponse()
            return response.status == 200 and b'name="password"' in response.read()
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def _connection(self) -> HTTPConnection:
        if self.tls:
            return HTTPSConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS, context=self.tls)
        return HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)


def trusting(container: Container) -> ssl.SSLContext:
    """A context that trusts the private authority of a running Workhorse alone."""
    return ssl.create_default_context(cadata=run_inside(container, ["workhorse", "ca"]))


def blind() -> ssl.SSLContext:
    """A context for the very first start, before which there is no authority to trust; verify afterwards."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def start(container: Container, page: LoginPage) -> float:
    """Starts a container and returns the seconds until its login page has answered."""
    began = time.perf_counter()
    container.start()
    while not page.answers():
        if time.perf_counter() - began > DEADLINE_SECONDS:
            raise TimeoutError(f"no login page within {DEADLINE_SECONDS} s:\n{container.logs()!r}")
        time.sleep(POLL_SECONDS)
    return time.perf_counter() - began


def end(container: Container) -> None:
    """Ends a server at once; how it stops is measured nowhere."""
    container.kill()
    container.wait()
