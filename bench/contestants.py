"""The two that are measured: Workhorse from its own Compose file, and a plain JupyterLab on the same base image."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker
from docker.models.containers import Container
from dotenv import dotenv_values

from tests.stacks import MACHINE_AUTHORITIES, REPOSITORY, SERVICES, Stack, free_port, new_stack, prepared

PREFIX = "workhorse-bench"
PEER_IMAGE = f"{PREFIX}-peer"
# In bench/peer/Dockerfile.
PEER_TOKEN = "a-token-of-the-bench"  # noqa: S105
# A set password is the dearer case: a warm start verifies it against the kept hash.
PASSWORD = "four words of the bench"  # noqa: S105


@contextmanager
def workhorse() -> Iterator[Stack]:
    """A stack of the Compose file with volumes of its own, created and not yet started."""
    with tempfile.TemporaryDirectory(prefix=f"{PREFIX}-") as folder:
        # Without the company's authority, which the peer knows nothing of either.
        stack = new_stack(Path(folder), CA_FILE="", JUPYTER_PASSWORD=PASSWORD)
        stack = replace(stack, project=f"{PREFIX}-{secrets.token_hex(4)}")
        with prepared(stack):
            stack.compose("create", "--no-build")
            yield stack


def containers_of(client: docker.DockerClient, stack: Stack) -> tuple[Container, ...]:
    """The door's, the lab's and the kernels', from a client that stays open."""
    return tuple(client.containers.get(stack.container_of(service).id or "") for service in SERVICES)


@contextmanager
def peer(client: docker.DockerClient, *options: str) -> Iterator[tuple[Container, int]]:
    """A fresh container of the peer, not yet started, and its port on the host."""
    port = free_port()
    container = client.containers.create(
        PEER_IMAGE, [*client.images.get(PEER_IMAGE).attrs["Config"]["Cmd"], *options],
        name=f"{PREFIX}-peer-{secrets.token_hex(4)}", ports={"8888/tcp": ("127.0.0.1", port)},
    )  # fmt: skip
    with removed(container):
        yield container, port


@contextmanager
def variant(client: docker.DockerClient, model: Container, **changed: Any) -> Iterator[Container]:
    """A container like the model, over its volumes, with another configuration and neither checks nor restarts."""
    model.reload()
    host = {**model.attrs["HostConfig"], "RestartPolicy": {"Name": "no"}}
    config = {**model.attrs["Config"], "Labels": {}, "Healthcheck": {"Test": ["NONE"]}, "HostConfig": host, **changed}
    name = f"{PREFIX}-variant-{secrets.token_hex(4)}"
    # The client's own creation takes each setting apart; this one takes them whole, as the model has them.
    created: dict[str, str] = client.api.create_container_from_config(config, name)  # type: ignore[no-untyped-call]
    with removed(client.containers.get(created["Id"])) as container:
        yield container


def run_inside(container: Container, command: list[str]) -> str:
    """Runs a command in a running container and returns what it prints."""
    status, output = container.exec_run(command)
    text = b"".join([output] if isinstance(output, bytes) else output).decode()
    if status:
        raise RuntimeError(f"{' '.join(command)}: {text}")
    return text


@contextmanager
def removed(container: Container) -> Iterator[Container]:
    try:
        yield container
    finally:
        container.remove(force=True, v=True)


def build_peer() -> None:
    """Builds the peer's image with the versions that Workhorse's lock file holds."""
    arguments = {
        "BASE_IMAGE": base_image(),
        "JUPYTERLAB_VERSION": locked_version("jupyterlab"),
        "JUPYTER_SERVER_VERSION": locked_version("jupyter-server"),
    }
    words = [word for name, value in arguments.items() for word in ("--build-arg", f"{name}={value}")]
    if MACHINE_AUTHORITIES.exists():
        words += ["--secret", f"id=ca,src={MACHINE_AUTHORITIES}"]
    command = ["docker", "build", "-q", "-t", PEER_IMAGE, "-f", "bench/peer/Dockerfile", *words, "."]
    subprocess.run(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, check=True)


def base_image() -> str:
    """The base that host/image builds on: as set, or the public one, or the stand-in where that is not here."""
    if chosen := os.environ.get("BASE_IMAGE") or dotenv_values(REPOSITORY / ".env").get("BASE_IMAGE"):
        return chosen
    public = _only_match(r"^ARG BASE_IMAGE=(\S+)", REPOSITORY / "Dockerfile")
    present = subprocess.run(["docker", "image", "inspect", public], capture_output=True, check=False)
    return public if present.returncode == 0 else "workhorse-base:local"


def locked_version(package: str) -> str:
    return _only_match(rf"^{re.escape(package)}==(\S+)", REPOSITORY / "requirements-lab.lock")


def _only_match(pattern: str, file: Path) -> str:
    match = re.search(pattern, file.read_text(), re.MULTILINE)
    if match is None:
        raise LookupError(f"{file} holds no line like {pattern}")
    return match[1]
