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

    @property
    def own(self) -> Path:
        """The person's own pair, as it was when it was last sound."""
        return self.path / "own.pem"

    @property
    def certbot(self) -> Path:
        return self.path / "certbot"

    @property
    def attempts(self) -> Path:
        """What became of the last attempts to obtain certificates, so that a restart can't exceed anyone's limits."""
        return self.path / "attempts.json"

    def public(self, name: str) -> Path:
        """The certificate that an ACME server gave for a name."""
        return self.path / f"public-{name}.pem"


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
    def server_run(self) -> Path:
        """The part of it that is the running server's to write to."""
        return self.run / "server"

    @property
    def connections(self) -> Path:
        """Where Jupyter writes how each kernel is reached, keys included: not on a disk, which may be full too."""
        return self.server_run / "jupyter"

    @property
    def socket(self) -> Path:
        """Where door and lab meet, and nobody else."""
        return self.root / "run/lab/socket"

    @property
    def kernels_socket(self) -> Path:
        """Where the door and the server of what runs meet, and nobody else."""
        return self.root / "run/kernels/socket"

    @property
    def lab_config(self) -> Path:
        """What the lab's start has settled for JupyterLab; no secret is in it."""
        return self.server_run / "jupyter_server_config.json"

    @property
    def kernels_config(self) -> Path:
        """The same for the server of what runs."""
        return self.server_run / "kernels_server_config.json"

    @property
    def host_folder(self) -> Path:
        """What the host calls the notebooks' folder, as the lab's start was told."""
        return self.server_run / "host-folder"

    @property
    def temporary(self) -> Path:
        return self.root / "tmp"

    @property
    def certificates(self) -> Path:
        """The host's folder that CERTIFICATES names."""
        return self.root / "certificates"

    @property
    def certificate_report(self) -> Path:
        """What the running server knows about its certificates, for `workhorse status`."""
        return self.server_run / "certificates.json"

    @property
    def own_judgement(self) -> Path:
        """What the start, and the running server after it, found about the person's own certificate."""
        return self.server_run / "own-certificate.json"

    @property
    def known_settings(self) -> Path:
        """What the start read from `.env`, without the password, for the `workhorse` commands."""
        return self.run / "settings.json"

    @property
    def sharing(self) -> Path:
        """Until when the authority's certificate is offered to everyone."""
        return self.server_run / "share-ca"

    @property
    def company_authority(self) -> Path:
        return self.root / "run/secrets/ca"

    @property
    def state(self) -> Path:
        return self.root / "var/lib/workhorse"

    @property
    def layout(self) -> Path:
        return self.state / "layout"

    @property
    def tls(self) -> TlsFolder:
        return TlsFolder(self.state / "tls")

    @property
    def password_hash(self) -> Path:
        return self.state / "password-hash"

    @property
    def password_in_log(self) -> Path:
        """Of which hash the password was made up by a start, whose message the log may still hold."""
        return self.state / "password-in-log"

    @property
    def cookie_secret(self) -> Path:
        return self.state / "cookie-secret"

    @property
    def device_secret(self) -> Path:
        """Signs the cookies of known devices; apart from the logins' secret, so that a sign-out leaves them known."""
        return self.state / "device-secret"

    @property
    def second_factor(self) -> Path:
        return self.state / "second-factor.json"

    @property
    def logins(self) -> Path:
        return self.state / "logins.json"

    @property
    def installation(self) -> Path:
        """Which clone was started last."""
        return self.state / "installation.json"

    @property
    def guesses(self) -> Path:
        """The limiter's counts, which outlive the server."""
        return self.state / "guesses.json"

    @property
    def config(self) -> Path:
        """What the door's start has settled for the server; no secret is in it."""
        return self.state / "door.json"
