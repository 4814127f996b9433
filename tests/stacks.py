"""Real stacks for tests: the Compose file of the repository, in a folder and with volumes of their own."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

import docker
from docker.models.containers import Container
from dotenv import set_key
from pytest_docker.plugin import get_docker_services

from entrypoint.settings.settings import variable_names

REPOSITORY = Path(__file__).parents[1]
READY_SECONDS = 60
# Under another name, several checkouts are tested at once on one machine.
IMAGE = os.environ.get("WORKHORSE_TEST_IMAGE", "workhorse")
LAB_IMAGE, KERNELS_IMAGE = f"{IMAGE}-lab", f"{IMAGE}-kernels"
DOOR, LAB, KERNELS = "workhorse", "lab", "kernels"
SERVICES = (DOOR, LAB, KERNELS)
FILES = (REPOSITORY / "docker-compose.yml", REPOSITORY / "tests" / "image.yml")
MACHINE_AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
WORKERS_MAX = 16
FIRST_PORT = 10_000
EPHEMERAL_PORTS = Path("/proc/sys/net/ipv4/ip_local_port_range")
_given_ports: set[int] = set()
T = TypeVar("T")


def poll(question: Callable[[], T | None], seconds: float = READY_SECONDS, wanted: str = "an answer") -> T:
    """Asks until there is something to return; fails loudly after the deadline."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        answer = question()
        # A zero is an answer, though it equals False.
        if answer or type(answer) is int:
            return answer
        time.sleep(0.05)
    raise TimeoutError(f"waited {seconds} s for {wanted}")


def free_port() -> int:
    """Below those that the system hands to whoever asks, so that a stack which stops and starts finds it free again.

    Of those that run side by side each has ports of its own, which stay its own while nobody listens there.
    """
    first_of_the_system_s = int(EPHEMERAL_PORTS.read_text().split()[0])
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    while True:
        port = FIRST_PORT + secrets.randbelow(first_of_the_system_s - FIRST_PORT)
        if port % WORKERS_MAX == worker % WORKERS_MAX and port not in _given_ports and _is_free(port):
            _given_ports.add(port)
            return port


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("", port)).close()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class Stack:
    """One Compose project in a temporary folder, as a person would have it after cloning."""

    folder: Path
    project: str
    port: int

    # As COMPOSE_FILE in .env names them besides.
    more_files: ClassVar[tuple[Path, ...]] = ()

    @property
    def url(self) -> str:
        return f"https://localhost:{self.port}"

    @property
    def repositories(self) -> Path:
        return self.folder / "repositories"

    @property
    def certificates(self) -> Path:
        return self.folder / "certificates"

    @property
    def compose_command(self) -> list[str]:
        return ["docker", "compose", "--project-directory", str(self.folder), *self._files, "-p", self.project]

    @property
    def _files(self) -> list[str]:
        override = self.folder / "docker-compose.override.yml"
        files = [*FILES, *self.more_files, *([override] if override.exists() else [])]
        return [word for file in files for word in ("-f", str(file))]

    def compose(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs one `docker compose` command; its environment holds nothing of ours, as on a person's machine."""
        own = set(variable_names())
        environment = {name: value for name, value in os.environ.items() if name not in own}
        result = subprocess.run(
            [*self.compose_command, *arguments], capture_output=True, text=True, check=False, env=environment
        )
        if check and result.returncode:
            raise AssertionError(f"docker compose {' '.join(arguments)}: {result.stdout}{result.stderr}{self.log()}")
        return result

    def set(self, **settings: str) -> None:
        """Writes settings into the .env file as python-dotenv does it: between single quotes."""
        file = self.folder / ".env"
        for name, value in settings.items():
            set_key(file, name, value, quote_mode="always")
            # python-dotenv doubles a backslash; a person doesn't, and Compose takes each as it stands.
            file.write_text(file.read_text().replace("\\\\", "\\"))

    def up(self) -> None:
        self.compose("up", "-d", "--no-build", "--wait", "--wait-timeout", str(READY_SECONDS))

    def log(self) -> str:
        """Everything that the door, and then the others, have said so far; empty where there is none."""
        return self.log_of(*SERVICES)

    def door_log(self) -> str:
        """What the door alone has said, so that what is new stands at the end."""
        return self.log_of(DOOR)

    def log_of(self, *services: str) -> str:
        return "".join(_log_of(each) for service in services for each in self.containers_of(service))

    def told(self, *texts: str, seconds: float = READY_SECONDS) -> str:
        """The log, as soon as it holds these texts: it passes the engine line by line, later than what it tells of."""

        def found() -> str | None:
            log = self.log()
            return log if all(text in log for text in texts) else None

        return poll(found, seconds, f"lines with {texts}")

    def line(self, text: str) -> str:
        """The first line of the log that holds a text, as soon as there is one."""
        return next(line for line in self.told(text).splitlines() if text in line)

    def workhorse(self, *arguments: str, check: bool = True) -> str:
        return self.compose("exec", "-T", DOOR, "workhorse", *arguments, check=check).stdout

    def override(self, services: str | Sequence[str], *lines: str) -> None:
        """Changes services as a person does: in a file of their own, which counts from the next `up` on."""
        changed = [services] if isinstance(services, str) else services
        own = [line for each in changed for line in (f"  {each}:", *(f"    {line}" for line in lines))]
        text = "\n".join(["services:", *own])
        (self.folder / "docker-compose.override.yml").write_text(f"{text}\n")

    def shell(self, script: str, user: str = "1000", check: bool = True) -> str:
        """Runs a script in a login shell where kernels run, as Jupyter's terminals do; root's is the image's own."""
        bash = "/bin/bash" if user == "0" else "bash"
        return self.compose("exec", "-T", "-u", user, KERNELS, bash, "-lc", script, check=check).stdout

    def door_shell(self, script: str, user: str = "0", check: bool = True) -> str:
        """Runs a script at the door."""
        return self.compose("exec", "-T", "-u", user, DOOR, "/bin/bash", "-c", script, check=check).stdout

    def lab_shell(self, script: str, user: str = "1000", check: bool = True) -> str:
        """Runs a script where JupyterLab is."""
        return self.compose("exec", "-T", "-u", user, LAB, "/bin/bash", "-c", script, check=check).stdout

    def shell_of(self, service: str) -> Callable[[str], str]:
        return {DOOR: self.door_shell, LAB: self.lab_shell, KERNELS: self.shell}[service]

    @property
    def container(self) -> Container:
        """The door's."""
        return self.container_of(DOOR)

    @property
    def lab(self) -> Container:
        return self.container_of(LAB)

    @property
    def kernels(self) -> Container:
        """Those of kernels and terminals."""
        return self.container_of(KERNELS)

    @property
    def address(self) -> str:
        """The door's own in its network, past the port that Docker publishes."""
        networks = self.container.attrs["NetworkSettings"]["Networks"].values()
        return str(next(iter(networks))["IPAddress"])

    def container_of(self, service: str) -> Container:
        return self.containers_of(service)[0]

    def containers_of(self, service: str) -> list[Container]:
        # Not by `docker compose ps`, which takes ten times as long: tests ask while they wait.
        labels = {"project": self.project, "service": service, "oneoff": "False"}
        label = [f"com.docker.compose.{name}={value}" for name, value in labels.items()]
        with closing(docker.from_env()) as client:
            return client.containers.list(all=True, ignore_removed=True, filters={"label": label})

    def remove(self) -> None:
        """All that is the stack's, networks of an earlier Workhorse too, of which `down` knows nothing."""
        self.compose("down", "-v", "-t", "1", check=False)
        with closing(docker.from_env()) as client:
            for network in client.networks.list(filters={"label": f"com.docker.compose.project={self.project}"}):
                network.remove()

    def authority(self) -> Path:
        """The private authority's certificate, as a person fetches it to trust it."""
        path = self.folder / "workhorse-ca.pem"
        path.write_text(self.workhorse("ca"))
        return path

    def generated_password(self) -> str:
        return self.line("made up now").split()[1]

    def in_state_volume(self, script: str, *options: str) -> str:
        """Runs a shell script as root over the state volume, while the door is stopped."""
        return self._in_volume("state", script, *options)

    def in_home_volume(self, script: str, *options: str) -> str:
        return self._in_volume("home", script, *options)

    def _in_volume(self, name: str, script: str, *options: str) -> str:
        volume = f"{self.project}_{name}:/{name}"
        command = ["docker", "run", "--rm", "--entrypoint", "/bin/bash", "-v", volume, *options, IMAGE, "-euc", script]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def _log_of(container: Container) -> str:
    # One that is just being removed has none any more.
    with suppress(docker.errors.APIError):
        # Both streams as they came, so that what is new stands at the end.
        return str(container.logs().decode())
    return ""


def new_stack(folder: Path, **settings: str) -> Stack:
    """Lays out a project folder with an empty notebooks' folder that belongs to user 1000."""
    stack = Stack(folder, f"workhorse-test-{secrets.token_hex(4)}", free_port())
    (folder / "image").mkdir()
    shutil.copy(REPOSITORY / "image" / "empty", folder / "image")
    stack.repositories.mkdir()
    stack.certificates.mkdir()
    if os.getuid() == 0:
        os.chown(stack.repositories, 1000, 1000)
    (folder / ".env").touch()
    if MACHINE_AUTHORITIES.exists():
        # On a machine whose network inspects TLS, the tests that install packages need its authority.
        stack.set(CA_FILE=str(MACHINE_AUTHORITIES))
    stack.set(BIND_ADDRESS="127.0.0.1", PORT=str(stack.port), **settings)
    return stack


@contextmanager
def running(stack: Stack) -> Iterator[Stack]:
    """Keeps a stack's containers and volumes for the time of a test."""
    command = f'docker compose --project-directory "{stack.folder}"'
    with get_docker_services(command, [*FILES, *stack.more_files], stack.project, None, ["down -v -t 1"]):
        stack.up()
        yield stack


@contextmanager
def prepared(stack: Stack) -> Iterator[Stack]:
    """The same, for stacks that a test starts itself or that must not start."""
    try:
        yield stack
    finally:
        stack.remove()


def start_container(
    settings: Mapping[str, str], *options: str, arguments: Sequence[str] = (), image: str = IMAGE
) -> subprocess.CompletedProcess[str]:
    """Runs one image alone, the door's unless told otherwise: for input that Compose would refuse before it comes in.

    Args:
        options: Docker's own.
        arguments: The command in the server's place.
    """
    variables = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
    command = ["docker", "run", "--rm", "--read-only", "--tmpfs", "/run/workhorse:mode=1777", *variables, *options]
    return subprocess.run([*command, image, *arguments], capture_output=True, text=True, check=False, timeout=60)
