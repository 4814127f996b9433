"""A clone as a person has it: built, started and changed by the commands that the README names."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from entrypoint.settings.settings import variable_names
from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stack.test_faults import started_at
from tests.stack.test_upgrade import STAND_IN_BASE, has_image
from tests.stacks import DOOR, IMAGE, KERNELS, LAB, MACHINE_AUTHORITIES, REPOSITORY, SERVICES, Stack

MakeStack = Callable[..., Stack]
CLONED = {service: f"{IMAGE}-clone-{service}" for service in SERVICES}
SOURCES = (
    "base", "entrypoint", "host", "image", "Dockerfile", ".dockerignore", "docker-compose.yml", "env.example",
    "environment.yml", "requirements-door.lock", "requirements-kernels.lock", "requirements-lab.lock",
)  # fmt: skip
SMALL_ENVIRONMENT = "name: default\nchannels: [conda-forge]\ndependencies: [python=3.13, pip, tqdm]\n"


@pytest.fixture
def clone(own_stack: MakeStack) -> Iterator[Stack]:
    """A copy of the repository, whose images have names of their own."""
    stack = own_stack()
    for source in (REPOSITORY / name for name in SOURCES):
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, stack.folder / source.name, ignore=ignored, dirs_exist_ok=True)
        else:
            shutil.copy(source, stack.folder)
    images = ", ".join(f"{service}: {{image: {image}}}" for service, image in CLONED.items())
    (stack.folder / "docker-compose.override.yml").write_text(f"services: {{{images}}}\n")
    yield stack
    # An image that a container still uses would stay behind without its name.
    stack.compose("down", "-v", "-t", "1", check=False)
    subprocess.run(["docker", "rmi", "-f", *CLONED.values()], check=False, capture_output=True)


def base() -> dict[str, str]:
    """The base that the image under test stands on, so that its layers are there already."""
    return {"BASE_IMAGE": STAND_IN_BASE} if has_image(STAND_IN_BASE) else {}


def make_up(clone: Stack) -> subprocess.CompletedProcess[str]:
    """What `make up` prints once an engine is there."""
    environ = {name: value for name, value in os.environ.items() if name not in variable_names()}
    environ |= {"COMPOSE_PROJECT_NAME": clone.project, "BIND_ADDRESS": "127.0.0.1", "PORT": str(clone.port)}
    command = [clone.folder / "host" / "up"]
    return subprocess.run(command, env=environ | base(), capture_output=True, text=True, check=True)


def test_make_up_without_an_env_file_waits_until_it_serves_and_says_where(clone: Stack) -> None:
    (clone.folder / ".env").unlink()
    first = make_up(clone)
    for container in map(clone.container_of, SERVICES):
        assert container.attrs["State"]["Health"]["Status"] == "healthy"
    assert f"{clone.url}\n" in first.stdout
    # The stand-in base is built with the machine's authorities, which no container has by itself.
    told = "For notebooks too, put into .env: CA_FILE=/" in first.stderr
    assert told == (has_image(STAND_IN_BASE) and MACHINE_AUTHORITIES.exists())
    with Client(clone.url, clone.authority()) as client:
        assert client.login(clone.generated_password()).status_code == 302
    started = [started_at(clone, service) for service in SERVICES]
    assert clone.generated_password() in first.stdout
    second = make_up(clone).stdout
    assert second.endswith(clone.workhorse("status"))
    assert clone.generated_password() not in second
    assert [started_at(clone, service) for service in SERVICES] == started


def test_make_up_takes_no_other_clone_s_place_and_finds_its_own_volumes(clone: Stack, tmp_path: Path) -> None:
    make_up(clone)
    other = tmp_path / "other"
    shutil.copytree(clone.folder, other, ignore=shutil.ignore_patterns("repositories", "certificates"))
    environ = {**os.environ, "COMPOSE_PROJECT_NAME": clone.project}
    refused = subprocess.run([other / "host" / "up"], env=environ, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"The clone in {clone.folder} has the same name for Docker" in refused.stderr
    assert "COMPOSE_PROJECT_NAME=other-2" in refused.stderr
    renamed = {**os.environ, "COMPOSE_PROJECT_NAME": f"{clone.project}-later"}
    refused = subprocess.run([clone.folder / "host" / "up"], env=renamed, capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert f"put into .env: COMPOSE_PROJECT_NAME={clone.project}\n" in refused.stderr


def test_one_command_builds_on_the_base_that_the_env_file_alone_names_and_starts(clone: Stack) -> None:
    if not has_image(STAND_IN_BASE):
        pytest.skip("the stand-in base is not here: make base")
    clone.set(BASE_IMAGE=STAND_IN_BASE)
    clone.compose("up", "-d", "--wait")
    expected = layers(STAND_IN_BASE)
    for image in CLONED.values():
        assert layers(image)[: len(expected)] == expected


def layers(image: str) -> list[str]:
    command = ["docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", image]
    found: list[str] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def test_an_edited_environment_changes_the_stack(clone: Stack) -> None:
    clone.set(**base())
    (clone.folder / "environment.yml").write_text(SMALL_ENVIRONMENT)
    clone.compose("up", "-d", "--build", "--wait")
    assert clone.shell("python -c 'import tqdm; print(tqdm.__file__)'").startswith("/opt/conda/envs/default/")
    assert clone.shell("python -c 'import numpy' || echo gone") == "gone\n"


def test_an_update_of_the_door_or_of_jupyterlab_leaves_the_kernels_as_they_are(clone: Stack) -> None:
    clone.set(**base(), JUPYTER_PASSWORD=PASSWORD)
    clone.compose("up", "-d", "--build", "--wait")
    with Client(clone.url, clone.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        assert kernel.run("x = 'kept'") == ""
        for service in (DOOR, LAB):
            before = ids(clone)
            package = "door" if service == DOOR else "lab"
            change(clone.folder / "entrypoint" / package / "server.py")
            clone.compose("up", "-d", "--build", "--wait")
            assert {each for each, container in ids(clone).items() if container != before[each]} == {service}
            assert Kernel(client, kernel.id).run("print(x)") == "kept\n"
        before = ids(clone)
        change(clone.folder / "entrypoint" / "kernels" / "server.py")
        clone.compose("up", "-d", "--build", "--wait")
        # Upon whose image the lab's stands.
        assert {each for each, container in ids(clone).items() if container != before[each]} == {LAB, KERNELS}
        assert client.is_logged_in()


def ids(stack: Stack) -> dict[str, str | None]:
    return {service: stack.container_of(service).id for service in SERVICES}


def change(file: Path) -> None:
    file.write_text(f"{file.read_text()}# Another version.\n")


def test_without_an_env_file_it_listens_everywhere_on_8888(own_stack: MakeStack) -> None:
    stack = own_stack()
    (stack.folder / ".env").unlink()
    config = json.loads(stack.compose("config", "--format", "json").stdout)
    port = config["services"]["workhorse"]["ports"][0]
    assert (port["host_ip"], port["published"], port["target"]) == ("0.0.0.0", "8888", 8888)  # noqa: S104
    assert [name for name, service in config["services"].items() if "ports" in service] == [DOOR]


def test_env_example_as_copied_starts(own_stack: MakeStack) -> None:
    stack = own_stack()
    shutil.copy(REPOSITORY / "env.example", stack.folder / ".env")
    stack.set(BIND_ADDRESS="127.0.0.1", PORT=str(stack.port))
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(stack.generated_password()).status_code == 302
