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

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import IMAGE, MACHINE_AUTHORITIES, REPOSITORY, Stack, poll

STAND_IN_BASE = "workhorse-base:local"
# The last one whose state had no number of its layout yet.
FIRST_VERSION = "cf76978"
SETTING = ".jupyter/lab/user-settings/@jupyterlab/apputils-extension/themes.jupyterlab-settings"


def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["git", "-C", str(REPOSITORY), *arguments], capture_output=True, check=False)


@dataclass(frozen=True)
class OldVersion:
    """An earlier version's image, on the base that this one was built on."""

    image: str
    has_second_factor: bool


def has(commit: str, path: str = "") -> bool:
    return git("cat-file", "-e", f"{commit}:{path}").returncode == 0


@pytest.fixture(scope="module", params=[FIRST_VERSION, "HEAD~1"], ids=["first version", "previous commit"])
def old(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldVersion]:
    commit = request.param
    if not has(commit):
        pytest.skip(f"this clone doesn't hold {commit} to upgrade from: git fetch --unshallow")
    # Runs beside this one may be of another commit.
    image = f"workhorse-test-{secrets.token_hex(4)}"
    build(commit, tmp_path_factory.mktemp("old"), image)
    yield OldVersion(image, has(commit, "entrypoint/login/second_factor.py"))
    subprocess.run(["docker", "image", "rm", image], check=True, capture_output=True)


def build(commit: str, folder: Path, image: str) -> None:
    with tarfile.open(fileobj=io.BytesIO(git("archive", commit).stdout)) as archive:
        archive.extractall(folder, filter="data")
    secret = MACHINE_AUTHORITIES if MACHINE_AUTHORITIES.exists() else folder / "image" / "empty"
    base = os.environ.get("BASE_IMAGE") or (STAND_IN_BASE if has_image(STAND_IN_BASE) else "")
    options = [f"--build-arg=BASE_IMAGE={base}"] if base else []
    command = ["docker", "build", "-q", f"--secret=id=ca,src={secret}", *options, "-t", image, str(folder)]
    subprocess.run(command, check=True, capture_output=True)


def has_image(name: str) -> bool:
    return subprocess.run(["docker", "image", "inspect", name], capture_output=True, check=False).returncode == 0


def use_image(stack: Stack, image: str) -> None:
    (stack.folder / "docker-compose.override.yml").write_text(f"services: {{workhorse: {{image: {image}}}}}\n")


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
    listed: list[dict[str, object]] = json.loads(stack.shell("cat /var/lib/workhorse/logins.json || echo []"))
    return listed


def test_an_upgrade_keeps_everything(own_stack: Callable[..., Stack], old: OldVersion) -> None:
    stack = own_stack(TOTP="on" if old.has_second_factor else "off")
    use_image(stack, old.image)
    stack.up()
    spent, unspent = recovery_codes(stack)[:2] if old.has_second_factor else ("", "")
    authority, password = stack.authority(), stack.generated_password()
    trusted, certificate = authority.read_bytes(), stack.shell("sha256sum /var/lib/workhorse/tls/server.pem")
    with Client(stack.url, authority) as client:
        assert client.login(password, spent).status_code == 302
        work(client, stack)
        client.session.close()
        old_id, listed = stack.container.attrs["Image"], logins(stack)
        assert len(listed) == old.has_second_factor
        use_image(stack, IMAGE)
        stack.up()
        assert stack.container.attrs["Image"] != old_id
        assert stack.authority().read_bytes() == trusted
        assert stack.shell("sha256sum /var/lib/workhorse/tls/server.pem") == certificate
        assert stack.shell("cat /var/lib/workhorse/layout") == "1"
        # The session is the same one: whoever was logged in is so still.
        assert client.is_logged_in()
        assert_work_is_there(client, stack)
    assert logins(stack) == listed
    with Client(stack.url, authority) as another:
        assert another.login(password, spent).status_code == (401 if old.has_second_factor else 302)
        assert another.login(password, unspent).status_code == 302
    assert logins(stack)[: len(listed)] == listed
    assert "made up now" not in stack.log()


def test_a_downgrade_by_one_version_serves_the_same_work(own_stack: Callable[..., Stack], old: OldVersion) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    authority = stack.authority()
    with Client(stack.url, authority) as client:
        client.login(PASSWORD)
        work(client, stack)
        client.session.close()
        for image in (old.image, IMAGE):
            use_image(stack, image)
            stack.up()
            assert stack.authority().read_bytes() == authority.read_bytes()
            assert client.is_logged_in()
            assert_work_is_there(client, stack)
            client.session.close()


def test_a_state_of_a_newer_version_ends_the_start_and_stays_as_it_is(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.compose("down")
    stack.in_state_volume("echo 2 >/state/layout")
    describe = "cd /state; find . -type f -exec sha256sum {} + | sort; find . -printf '%p %m %U %G %T@\\n' | sort"
    before = stack.in_state_volume(describe)
    result = stack.compose("run", "--rm", "-T", "workhorse", check=False)
    assert result.returncode == 1
    first, remedy = [line for line in result.stderr.splitlines() if "Container" not in line and "Network" not in line]
    assert first == "The volume 'state' was written by a newer Workhorse (layout 2; this one knows up to 1)."
    assert "Go back to the newer one" in remedy
    assert stack.in_state_volume(describe) == before
    stack.in_state_volume("echo 1 >/state/layout")
    stack.up()
    poll(lambda: stack.container.attrs["State"]["Health"]["Status"] == "healthy" or None, wanted="health")
