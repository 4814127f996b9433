"""The processor time of a TLS connection: Workhorse's, a plain Jupyter's with a certificate, and nginx's."""

from __future__ import annotations

import io
import secrets
import socket
import ssl
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import docker
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from docker.models.containers import Container

from bench.contestants import PEER_IMAGE, PREFIX, base_image, removed, run_inside, variant, workhorse
from bench.memory import stats
from bench.spread import RUNS, Comparison, Spread
from tests.handshakes import Door
from tests.stacks import REPOSITORY, poll

CONNECTIONS = 200
PORT = 8888
PEM = "/server.pem"
NGINX_IMAGE = f"{PREFIX}-nginx"
REQUEST = b"GET /api HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
# What jupyter-server makes of these two options is a dict, from which tornado makes a context for every connection.
PEER = ("jupyter", "lab", "--ip=0.0.0.0", "--no-browser", "--allow-root", f"--certfile={PEM}", f"--keyfile={PEM}")


@dataclass(frozen=True)
class TlsServer:
    """A running server in a container of its own, reached at that one's own address."""

    container: Container
    trust: ssl.SSLContext

    @property
    def door(self) -> Door:
        self.container.reload()
        networks = self.container.attrs["NetworkSettings"]["Networks"].values()
        return Door((next(iter(networks))["IPAddress"], PORT), self.trust)

    def cost(self, session: ssl.SSLSession | None = None, request: bytes = b"") -> float:
        """Milliseconds of the cgroup's processor time for one connection, from its acceptance to its end."""
        door, before = self.door, self._processor_nanoseconds()
        for _ in range(CONNECTIONS):
            connect(door, session, request)
        return (self._processor_nanoseconds() - before) / 1e6 / CONNECTIONS

    def session(self) -> ssl.SSLSession:
        # TLS 1.3 gives it with the first answer.
        session = connect(self.door, None, REQUEST)
        assert session
        return session

    def _processor_nanoseconds(self) -> int:
        nanoseconds: int = stats(self.container)["cpu_stats"]["cpu_usage"]["total_usage"]
        return nanoseconds


def connect(door: Door, session: ssl.SSLSession | None, request: bytes) -> ssl.SSLSession | None:
    """One verified connection, resumed where there is a session; returns the session that the server gives."""
    connection = socket.create_connection(door.address, timeout=10)
    with door.context.wrap_socket(connection, server_hostname=door.name, session=session) as tls:
        assert tls.session_reused is (session is not None)
        if request:
            tls.sendall(request)
        else:
            tls.shutdown(socket.SHUT_WR)
        # Until the server has hung up too, so that all of its work is counted.
        drain(tls)
        return tls.session


def drain(connection: socket.socket) -> None:
    while connection.recv(4096):
        pass


def tls_connections(client: docker.DockerClient) -> list[Comparison]:
    """All by turns, in every round."""
    with servers(client) as (ours, jupyter, nginx):
        our_session, nginx_session = ours.session(), nginx.session()
        ways: tuple[Callable[[], float], ...] = (
            ours.cost,
            jupyter.cost,
            nginx.cost,
            lambda: ours.cost(our_session),
            lambda: nginx.cost(nginx_session),
            lambda: ours.cost(request=REQUEST),
            lambda: jupyter.cost(request=REQUEST),
        )
        rounds = [[way() for way in ways] for _ in range(RUNS)]
    new, default, nginx_new, resumed, nginx_resumed, asked, default_asked = map(Spread, zip(*rounds, strict=True))
    return [
        Comparison("TLS connection, CPU", "ms", new, default, aim="<= 0.45"),
        # Jupyter as it comes resumes none.
        Comparison("the same, resumed", "ms", resumed, default),
        Comparison("resumed, beside new", "ms", resumed, new, aim="< 1"),
        Comparison("new, with GET /api", "ms", asked, default_asked),
        Comparison("new, beside nginx", "ms", new, nginx_new),
        Comparison("resumed, beside nginx", "ms", resumed, nginx_resumed),
    ]


@contextmanager
def servers(client: docker.DockerClient) -> Iterator[tuple[TlsServer, TlsServer, TlsServer]]:
    """Workhorse, a plain Jupyter with a certificate as the Jupyter Docker Stacks make one, and nginx with our key."""
    build_nginx()
    with ExitStack() as stack:
        compose = stack.enter_context(workhorse())
        compose.up()
        model = client.containers.get(compose.container.id or "")
        authority = run_inside(model, ["workhorse", "ca"])
        our_pem = run_inside(model, ["cat", "/var/lib/workhorse/tls/server.pem"]).encode()
        model.stop()
        ours = stack.enter_context(variant(client, model))
        ours.start()
        their_pem, their_certificate = rsa_pair()
        jupyter = stack.enter_context(started(client, PEER_IMAGE, their_pem, f"/opt/peer/bin/{' '.join(PEER)}"))
        nginx = stack.enter_context(started(client, NGINX_IMAGE, our_pem))
        found = (
            TlsServer(ours, ssl.create_default_context(cadata=authority)),
            TlsServer(jupyter, ssl.create_default_context(cadata=their_certificate)),
            TlsServer(nginx, ssl.create_default_context(cadata=authority)),
        )
        for server in found:
            poll(lambda server=server: answers(server) or None, wanted="a TLS server")  # type: ignore[misc]
        yield found


def answers(server: TlsServer) -> bool:
    try:
        return connect(server.door, None, REQUEST) is not None
    except ConnectionError:
        return False


@contextmanager
def started(
    client: docker.DockerClient, image: str, pem: bytes, command: str | None = None, **options: Any
) -> Iterator[Container]:
    """A container with a key and certificate put into it."""
    container = client.containers.create(image, command, name=f"{PREFIX}-tls-{secrets.token_hex(4)}", **options)
    with removed(container):
        packed = io.BytesIO()
        with tarfile.open(fileobj=packed, mode="w") as archive:
            file = tarfile.TarInfo(PEM.lstrip("/"))
            file.size, file.mode = len(pem), 0o600
            archive.addfile(file, io.BytesIO(pem))
        container.put_archive("/", packed.getvalue())
        container.start()
        yield container


def rsa_pair() -> tuple[bytes, str]:
    """Key and certificate in one, and the certificate alone; self-signed, as the Docker Stacks' GEN_CERT does."""
    key, now = rsa.generate_private_key(65537, 2048), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return private + certificate, certificate.decode()


def build_nginx() -> None:
    folder = REPOSITORY / "bench" / "nginx"
    command = ["docker", "build", "-q", "-t", NGINX_IMAGE, "--build-arg", f"BASE_IMAGE={base_image()}", str(folder)]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
