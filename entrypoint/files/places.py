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
class ClusterFolder:
    """By what the parts of the cluster know each other: its authority's certificate, and the pair of them all."""

    path: Path

    @property
    def authority(self) -> Path:
        return self.path / "ca.pem"

    @property
    def pair(self) -> Path:
        return self.path / "pair.pem"

    @property
    def revoked(self) -> Path:
        """Which pairs of other machines are good no more; there is none until one was removed."""
        return self.path / "revoked.pem"


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
    def runs(self) -> Path:
        """What cells have put out, until their notebook holds it."""
        return self.home / ".local/share/workhorse/runs"

    @property
    def outputs(self) -> Path:
        """The same of cells whose notebook is gone."""
        return self.home / "outputs"

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
    def kernels_awake(self) -> Path:
        """Is there while that server runs, and not while it waits for somebody to ask for something."""
        return self.root / "run/kernels/awake"

    @property
    def sync_socket(self) -> Path:
        """Where Syncthing is asked, by the door and nobody else."""
        return self.root / "run/sync/socket"

    @property
    def pairing(self) -> Path:
        """What the door tells the service that syncs: its device key, and whom to be in step with."""
        return self.root / "run/pairing/pairing.json"

    @property
    def sync_index(self) -> Path:
        """What Syncthing knows of the notebooks' folder; it can be made anew from that."""
        return self.root / "var/lib/sync"

    @property
    def dask_socket(self) -> Path:
        """Where the door and the cluster's scheduler meet; its folder is there where compose/cluster.yml is on."""
        return self.root / "run/dask/socket"

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
    def clone(self) -> Path:
        """What compose/published.yml shows of the clone."""
        return self.root / "run/clone"

    @property
    def made_of(self) -> Path:
        """The same files as the image was made of them."""
        return self.root / "opt/workhorse/made-of"

    @property
    def known_settings(self) -> Path:
        """What the start read from `.env`, without the password, for the `workhorse` commands."""
        return self.run / "settings.json"

    @property
    def notify_url(self) -> Path:
        """Where notices go to; a secret, and in memory alone."""
        return self.server_run / "notify-url"

    @property
    def sharing(self) -> Path:
        """Until when the authority's certificate is offered to everyone."""
        return self.server_run / "share-ca"

    @property
    def cluster_authority(self) -> Path:
        """The key that signs for the cluster: root's alone, at the door alone."""
        return self.root / "var/lib/cluster-authority/authority.pem"

    @property
    def cluster_machines(self) -> Path:
        """The other machines that a pair was made for."""
        return self.cluster_authority.parent / "machines.json"

    @property
    def cluster(self) -> ClusterFolder:
        """Where the door leaves what the cluster's parts need, for root alone."""
        return ClusterFolder(self.root / "run/cluster")

    @property
    def own_cluster(self) -> ClusterFolder:
        """The person's copy, in memory; `image/cluster/dask.yaml` names it."""
        return ClusterFolder(self.run / "cluster")

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
    def device_key(self) -> Path:
        """By which laptops know this server when they sync with it: a key and its certificate."""
        return self.state / "sync.pem"

    @property
    def laptops(self) -> Path:
        """Those that were paired."""
        return self.state / "laptops.json"

    @property
    def logins(self) -> Path:
        return self.state / "logins.json"

    @property
    def open_logins(self) -> Path:
        """The devices that are logged in, and the logins that were ended."""
        return self.state / "open-logins.json"

    @property
    def last_backup(self) -> Path:
        """When `workhorse backup` last wrote a whole archive."""
        return self.state / "last-backup"

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
