"""Another version on the same volumes: an upgrade keeps everything, and a downgrade changes nothing."""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from entrypoint.door.state import LAYOUT
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import DOOR, KERNELS, LAB, MACHINE_AUTHORITIES, REPOSITORY, Stack, poll

STAND_IN_BASE = "workhorse-base:local"
# The last one whose state had no number of its layout yet, the last whose notebooks ran beside the server, and the last
# whose kernels ran beside JupyterLab.
FIRST_VERSION, ONE_CONTAINER, TWO_SERVICES = "cf76978", "dd477d0", "84202f9"
PREVIOUS = "HEAD~1"
IMAGES, CERTIFICATE = "images.yml", "/var/lib/workhorse/tls/server.pem"
# What of an earlier version's default kernel is needed here; its whole stack takes minutes to install.
SMALL_ENVIRONMENT = "name: default\nchannels: [conda-forge]\ndependencies: [python=3.13, pip, ipykernel=7]\n"
SETTING = ".jupyter/lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, check=False)


@dataclass(frozen=True)
class OldVersion:
    """An earlier version, as a clone of it holds it, and its images on the base that this one was built on."""

    folder: Path
    services: tuple[str, ...]
    has_second_factor: bool
    # The newest state that it knows; 0 where it doesn't ask how new a state is.
    layout: int


@dataclass(frozen=True)
class OldStack(Stack):
    """A project as an earlier version runs it: by that one's own Compose file."""

    old: OldVersion

    @property
    def _files(self) -> list[str]:
        return ["-f", str(self.old.folder / "docker-compose.yml"), "-f", str(self.old.folder / IMAGES)]

    def shell(self, script: str, user: str = "1000", check: bool = True) -> str:
        # Where notebooks run, in each version.
        service = self.old.services[-1]
        return self.compose("exec", "-T", "-u", user, service, "/bin/bash", "-lc", script, check=check).stdout


def has(commit: str, path: str = "") -> bool:
    return git("cat-file", "-e", f"{commit}:{path}").returncode == 0


def layout_of(commit: str) -> int:
    found = git("grep", "-h", "^LAYOUT = ", commit, "--", "*state.py").stdout.decode()
    return int(found.split()[-1]) if found else 0


@pytest.fixture(
    scope="module",
    params=[FIRST_VERSION, ONE_CONTAINER, TWO_SERVICES, PREVIOUS],
    ids=["first version", "one container", "two services", "previous commit"],
)
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldVersion]:
    commit = request.param
    if not has(commit):
        pytest.skip(f"this clone doesn't hold {commit} to upgrade from: git fetch --unshallow")
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit).stdout)) as archive:
        archive.extractall(folder, filter="data")
    if commit != PREVIOUS:  # whose layers are there, from the build of this one
        (folder / "environment.yml").write_text(SMALL_ENVIRONMENT)
    services = (DOOR, *(each for each in (LAB, KERNELS) if has(commit, f"entrypoint/{each}/__main__.py")))
    # Runs beside this one may be of another commit.
    images = {service: f"workhorse-test-{secrets.token_hex(4)}" for service in services}
    for service, image in images.items():
        target = "door" if service == DOOR else service
        build(folder, image, [f"--target={target}"] if len(services) > 1 else [])
    named = ", ".join(f"{service}: {{image: {image}}}" for service, image in images.items())
    (folder / IMAGES).write_text(f"services: {{{named}}}\n")
    has_second_factor = b"second_factor.py\n" in git("ls-tree", "-r", "--name-only", commit).stdout
    yield OldVersion(folder, services, has_second_factor, layout_of(commit))
    subprocess.run(["docker", "image", "rm", *images.values()], check=True, capture_output=True)


def build(folder: Path, image: str, target: list[str]) -> None:
    secret = MACHINE_AUTHORITIES if MACHINE_AUTHORITIES.exists() else folder / "image" / "empty"
    base = os.environ.get("BASE_IMAGE") or (STAND_IN_BASE if has_image(STAND_IN_BASE) else "")
    options = [f"--build-arg=BASE_IMAGE={base}"] if base else []
    command = ["docker", "build", "-q", f"--secret=id=ca,src={secret}", *options, *target, "-t", image, str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def has_image(name: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0


def earlier(stack: Stack, old: OldVersion) -> OldStack:
    return OldStack(stack.folder, stack.project, stack.port, old)


def work(client: Client, stack: Stack) -> None:
    """What a person does in a first week."""
    cell = {"cell_type": "markdown", "id": "first", "metadata": {}, "source": "kept"}
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [cell]}
    client.api("PUT", "contents/work.ipynb", type="notebook", content=notebook)
    # A package of one's own, without a network.
    make_package = "import sysconfig; open(sysconfig.get_path('purelib') + '/mine.py', 'w').write('value = 42')"
    assert client.run(make_package) == ""
    stack.shell(f"mkdir -p ~/'{Path(SETTING).parent}'; echo '{{\"theme\": \"dark\"}}' >~/'{SETTING}'")


def assert_work_is_there(client: Client, stack: Stack) -> None:
    notebook = client.api("GET", "contents/work.ipynb")["content"]
    assert notebook["cells"][0]["source"] == "kept"
    assert client.run("import mine; print(mine.value)") == "42\n"
    assert "dark" in stack.shell(f"cat ~/'{SETTING}'")


def recovery_codes(stack: Stack) -> list[str]:
    """Of a fresh enrolment. Any of them opens at any time, and once."""
    return stack.workhorse("totp").split("shown this once:\n")[1].split("\n\n")[0].split()


def logins(stack: Stack) -> list[dict[str, object]]:
    listed: list[dict[str, object]] = json.loads(stack.door_shell("cat /var/lib/workhorse/logins.json || echo []"))
    return listed


def test_an_upgrade_keeps_everything(own_stack: Callable[..., Stack], old: OldVersion) -> None:
    stack = own_stack(TOTP="on" if old.has_second_factor else "off")
    before = earlier(stack, old)
    before.up()
    spent, unspent = recovery_codes(before)[:2] if old.has_second_factor else ("", "")
    authority, password = before.authority(), before.generated_password()
    trusted, certificate = authority.read_bytes(), before.door_shell(f"sha256sum {CERTIFICATE}")
    with Client(stack.url, authority) as client:
        assert client.login(password, spent).status_code == 302
        work(client, before)
        client.session.close()
        old_id, listed = before.container.attrs["Image"], logins(before)
        assert len(listed) == old.has_second_factor
        stack.up()
        assert stack.container.attrs["Image"] != old_id
        assert stack.authority().read_bytes() == trusted
        assert stack.door_shell(f"sha256sum {CERTIFICATE}") == certificate
        assert stack.door_shell("cat /var/lib/workhorse/layout") == str(LAYOUT)
        # The session is the same one: whoever was logged in is so still.
        assert client.is_logged_in()
        assert_work_is_there(client, stack)
    assert logins(stack) == listed
    with Client(stack.url, authority) as another:
        assert another.login(password, spent).status_code == (401 if old.has_second_factor else 302)
        assert another.login(password, unspent).status_code == 302
    assert logins(stack)[: len(listed)] == listed
    assert "made up now" not in stack.log()


def test_a_downgrade_serves_the_same_work_or_is_refused_and_changes_nothing(
    own_stack: Callable[..., Stack], old: OldVersion
) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    authority = stack.authority()
    with Client(stack.url, authority) as client:
        client.login(PASSWORD)
        work(client, stack)
        client.session.close()
        if 0 < old.layout < LAYOUT:
            stack.compose("down")
            assert_refuses(earlier(stack, old), LAYOUT, old.layout)
            versions: tuple[Stack, ...] = (stack,)
        else:
            versions = (earlier(stack, old), stack)
        for version in versions:
            version.compose("up", "-d", "--no-build", "--wait", "--remove-orphans")
            assert version.authority().read_bytes() == authority.read_bytes()
            if version is not stack and old.layout < LAYOUT:
                # It knows no logins of a later layout, and a login anew is all that it costs.
                assert client.login(PASSWORD).status_code == 302
            assert client.is_logged_in()
            assert_work_is_there(client, version)
            client.session.close()


def assert_refuses(stack: Stack, layout: int, known: int) -> None:
    """A start on a state that is too new says so, and leaves it as it is."""
    describe = "cd /state; find . -type f -exec sha256sum {} + | sort; find . -printf '%p %m %U %G %T@\\n' | sort"
    before = stack.in_state_volume(describe)
    result = stack.compose("run", "--rm", "-T", DOOR, check=False)
    assert result.returncode == 1
    compose_s = ("Container", "Network", "Volume")
    first, remedy = [line for line in result.stderr.splitlines() if not any(word in line for word in compose_s)]
    numbers = f"layout {layout}; this one knows up to {known}"
    assert first == f"The volume 'state' was written by a newer Workhorse ({numbers})."
    assert "Go back to the newer one" in remedy
    assert stack.in_state_volume(describe) == before


def test_a_state_of_a_newer_version_ends_the_start_and_stays_as_it_is(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.compose("down")
    stack.in_state_volume(f"echo {LAYOUT + 1} >/state/layout")
    assert_refuses(stack, LAYOUT + 1, LAYOUT)
    stack.in_state_volume(f"echo {LAYOUT} >/state/layout")
    stack.up()
    poll(lambda: stack.container.attrs["State"]["Health"]["Status"] == "healthy" or None, wanted="health")
