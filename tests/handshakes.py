"""Clients that do nothing but open TLS connections, verified ones, beside what a test does meanwhile."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE_SECONDS = 5


@dataclass(frozen=True)
class Door:
    """Where to connect, whom to trust, and the name that the certificate has to hold."""

    address: tuple[str, int]
    context: ssl.SSLContext
    name: str = "localhost"

    def open(self) -> ssl.SSLSocket:
        """A verified connection; the caller closes it."""
        connection = socket.create_connection(self.address, timeout=PATIENCE_SECONDS)
        try:
            return self.context.wrap_socket(connection, server_hostname=self.name)
        except BaseException:
            connection.close()
            raise

    def verifies(self) -> bool:
        """Whether one of the authorities vouches for what is served now."""
        try:
            self.open().close()
        except ssl.SSLCertVerificationError:
            return False
        return True

    def serial(self) -> str:
        """The serial number of the certificate that is served now."""
        with self.open() as tls:
            return serial_of(tls)


def serial_of(tls: ssl.SSLSocket) -> str:
    certificate = tls.getpeercert()
    assert certificate
    return str(certificate["serialNumber"])


def trusting(*authorities: Path | str) -> ssl.SSLContext:
    """Verifies against these alone, each a file or its text."""
    texts = (each.read_text() if isinstance(each, Path) else each for each in authorities)
    return ssl.create_default_context(cadata="\n".join(texts))


class Beside:
    """Repeats something in a thread of its own for as long as the block lasts, and keeps what failed."""

    def __init__(self, step: Callable[[], object], every_seconds: float) -> None:
        self.step, self.every_seconds = step, every_seconds
        self.results: list[object] = []
        self.failures: list[str] = []
        self.slowest = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Beside:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._end.wait(self.every_seconds):
            began = time.monotonic()
            try:
                self.results.append(self.step())
            except Exception as error:
                self.failures.append(f"{began:.1f} {error!r}")
            self.slowest = max(self.slowest, time.monotonic() - began)
