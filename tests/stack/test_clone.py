"""A clone as a person has it: built, started and changed by the commands that the README names."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from entrypoint.settings.settings import variable_names
from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stack.test_faults import started_at
from tests.stack.test_upgrade import STAND_IN_BASE, has_image
from tests.stacks import DOOR, IMAGE, KERNELS, LAB, MACHINE_AUTHORITIES, REPOSITORY, SERVICES, Stack, poll

MakeStack = Callable[..., Stack]
CLONED = {service: f"{IMAGE}-clone-{service}" for service in SERVICES}
# What images are made of, and what makes and starts them.
MADE_OF = [line[1:] for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")]
SOURCES = (*MADE_OF, ".dockerignore", "base", "compose", "docker-compose.yml", "env.example", "host")
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
    stack.remove()
    subprocess.run(["docker", "rmi", "-f", *CLONED.values()], check=False, capture_output=True)


def base() -> dict[str, str]:
    """The base that the image under test stands on, so that its layers are there already."""
    base = os.environ.get("BASE_IMAGE") or STAND_IN_BASE
    return {"BASE_IMAGE": base} if has_image(base) else {}


def make_up(
    clone: Stack, stdin: int = subprocess.DEVNULL, check: bool = True, **variables: str
) -> subprocess.CompletedProcess[str]:
    """What `make up` prints once an engine is there."""
    environ = {name: value for name, value in os.environ.items() if name not in variable_names()}
    environ |= {"COMPOSE_PROJECT_NAME": clone.project, "BIND_ADDRESS": "127.0.0.1", "PORT": str(clone.port)}
    command = [clone.folder / "host" / "up"]
    return subprocess.run(
        command,
        env=environ | base() | variables,
        stdin=stdin,
        capture_output=True,
        text=True,
        check=check,
        timeout=300,
    )


def answered(clone: Stack, answer: bytes) -> subprocess.CompletedProcess[str]:
    """The same, to somebody at a terminal, who answers what is asked."""
    ours, theirs = os.openpty()
    try:
        os.write(ours, answer)
        return make_up(clone, theirs, check=False)
    finally:
        os.close(ours)
        os.close(theirs)


def without_room(status: str) -> str:
    """Without how much room the disks have, which is another at each look."""
    return re.sub(r"[\d.]+ GiB free", "GiB free", status)


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
    assert without_room(second).endswith(without_room(clone.workhorse("status")))
    assert clone.generated_password() not in second
    assert [started_at(clone, service) for service in SERVICES] == started
    if not shutil.which("nvidia-container-runtime-hook"):
        files = "docker-compose.yml:docker-compose.override.yml:compose/gpu.yml"
        third = make_up(clone, check=False, COMPOSE_FILE=files)
        assert third.returncode == 1
        assert "this machine lacks the package nvidia-container-toolkit." in third.stderr
        assert [started_at(clone, service) for service in SERVICES] == started


@pytest.mark.parametrize("is_docker_s", [True, False])
def test_make_up_tells_who_has_the_port_and_a_free_one(clone: Stack, is_docker_s: bool) -> None:
    with ExitStack() as held:
        if is_docker_s:
            label, name = "com.docker.compose.project.working_dir=/home/ada/workhorse", f"{clone.project}-ada"
            options = ("--name", name, "--label", label, "-p", f"127.0.0.1:{clone.port}:1", "--entrypoint", "sleep")
            subprocess.run(["docker", "run", "-d", "--rm", *options, IMAGE, "600"], check=True, capture_output=True)
            held.callback(subprocess.run, ["docker", "rm", "-f", name], capture_output=True, check=True)
        else:
            held.enter_context(socket.create_server(("127.0.0.1", clone.port)))
        with pytest.raises(subprocess.CalledProcessError) as refused:
            make_up(clone)
    owner = f"the container {clone.project}-ada of /home/ada/workhorse" if is_docker_s else "another program, "
    assert f"Port {clone.port} of this machine is taken by {owner}" in refused.value.stderr
    free = re.search(r"A free one, for .env: PORT=(\d+)\n", refused.value.stderr)
    assert free and int(free[1]) > clone.port


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


def test_an_edited_environment_and_debian_s_packages_change_the_stack(clone: Stack) -> None:
    clone.set(**base())
    (clone.folder / "environment.yml").write_text(SMALL_ENVIRONMENT)
    packages = clone.folder / "apt.txt"
    packages.write_text("bc\nno-such-package\n")
    refused = clone.compose("build", KERNELS, check=False)
    assert refused.returncode != 0
    told = refused.stdout + refused.stderr
    assert "Unable to locate package no-such-package" in told
    assert "apt.txt: see the line with E: above" in told
    packages.write_text("# To count with.\nbc  # a calculator\n")
    (clone.folder / "lab.env").write_text("TZ=Asia/Tokyo\nLC_ALL=C.UTF-8\n")
    clone.compose("up", "-d", "--build", "--wait")
    assert clone.shell("echo '6 * 7' | bc; date +%z") == "42\n+0900\n"
    assert clone.shell("python -c 'import time; print(time.tzname[0])'") == "JST\n"
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


def test_make_up_ends_no_busy_kernel_unasked(clone: Stack) -> None:
    clone.set(JUPYTER_PASSWORD=PASSWORD)
    make_up(clone)
    with Client(clone.url, clone.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = Kernel(client, session(client, "night.ipynb"))
        kernel.run("x = 'kept'")
        kernel.send("import time; time.sleep(600)")
        poll(lambda: "night.ipynb (Python 3): busy" in told_of_kernels(clone).stdout or None, wanted="a busy kernel")
        before = ids(clone)

        clone.set(SESSION_DAYS="3")
        assert "night.ipynb" not in make_up(clone).stderr
        assert ids(clone)[KERNELS] == before[KERNELS]

        before = ids(clone)
        clone.set(MEMORY_LIMIT="3g")
        for refused in (make_up(clone, check=False), answered(clone, b"\n"), answered(clone, b"no\n")):
            assert refused.returncode == 1
            assert re.search(r"\nnight\.ipynb \(Python 3\): busy, since 20.* UTC, .* GiB\n", refused.stderr)
        unasked = make_up(clone, check=False)
        assert unasked.stderr.endswith("To go ahead all the same: make up END_KERNELS=yes\n")
        assert ids(clone) == before

        agreed = answered(clone, b"y\n")
        assert (agreed.returncode, "Go on? [y/N]" in agreed.stderr) == (0, True)
        assert ids(clone)[KERNELS] != before[KERNELS]
        assert client.api("GET", "kernels") == []


def test_make_up_tells_of_idle_kernels_and_goes_on_where_nobody_can_be_asked(clone: Stack) -> None:
    clone.set(JUPYTER_PASSWORD=PASSWORD)
    make_up(clone)
    with Client(clone.url, clone.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        Kernel(client, session(client, "idle.ipynb")).run("x = 1")
        assert told_of_kernels(clone).returncode == 0
        before = ids(clone)
        clone.set(MEMORY_LIMIT="3g")
        assert answered(clone, b"\n").returncode == 1
        assert ids(clone) == before
        assert "This ends idle kernels, with all variables:\nidle.ipynb (Python 3): idle" in make_up(clone).stderr
        assert ids(clone)[KERNELS] != before[KERNELS]


def test_one_word_goes_ahead_and_a_program_in_a_terminal_counts_as_busy(clone: Stack) -> None:
    clone.set(JUPYTER_PASSWORD=PASSWORD)
    make_up(clone)
    with Client(clone.url, clone.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        assert told_of_kernels(clone).stdout == "No kernel runs, and no program in a terminal.\n"
        terminal = client.api("POST", "terminals")["name"]
        client.type_in(terminal, "nohup sleep 600 &\r")
        poll(lambda: f"terminal {terminal}: sleep\n" in told_of_kernels(clone).stdout or None, wanted="a busy terminal")
        before = ids(clone)
        clone.set(MEMORY_LIMIT="3g")
        assert make_up(clone, check=False).returncode == 1
        assert ids(clone) == before
        assert f"terminal {terminal}: sleep\n" in make_up(clone, END_KERNELS="yes").stderr
        assert ids(clone)[KERNELS] != before[KERNELS]


def session(client: Client, path: str) -> str:
    """Starts a notebook's kernel, as its page does; returns its id."""
    model: dict[str, Any] = {"path": path, "name": path, "type": "notebook", "kernel": {"name": "python3"}}
    return str(client.api("POST", "sessions", **model)["kernel"]["id"])


def told_of_kernels(clone: Stack) -> subprocess.CompletedProcess[str]:
    return clone.compose("exec", "-T", DOOR, "workhorse", "kernels", check=False)


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
