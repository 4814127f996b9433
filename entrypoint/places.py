"""Where things lie inside the container."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class TlsFolder:
    """Where the keys and certificates lie; each file holds a key and what belongs to it."""

    path: Path

    @property
    def authority(self) -> Path:
        return self.path / "authority.pem"

    @property
    def server(self) -> Path:
        return self.path / "server.pem"


@dataclass(frozen=True)
class Places:
    """The container's folders and files, below a root that tests may choose."""

    root: Path = Path("/")

    @property
    def repositories(self) -> Path:
        return self.root / "repositories"

    @property
    def home(self) -> Path:
        return self.root / "home/workhorse"

    @property
    def run(self) -> Path:
        """In memory: gone with the container."""
        return self.root / "run/workhorse"

    @property
    def company_authority(self) -> Path:
        return self.root / "run/secrets/ca"

    @property
    def state(self) -> Path:
        return self.root / "var/lib/workhorse"

    @property
    def tls(self) -> TlsFolder:
        return TlsFolder(self.state / "tls")

    @property
    def password_hash(self) -> Path:
        return self.state / "password-hash"

    @property
    def cookie_secret(self) -> Path:
        return self.state / "cookie-secret"

    @property
    def config(self) -> Path:
        return self.state / "jupyter_server_config.json"
