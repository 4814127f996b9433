"""Whom the door and the lab run as, and whose files stay whose."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stack.test_faults import started_at
from tests.stacks import DOOR, IMAGE, KERNELS, LAB, LAB_IMAGE, SERVICES, Stack, poll

MakeStack = Callable[..., Stack]
pytestmark = pytest.mark.skipif(os.getuid() != 0, reason="only root can give folders away")


def owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def write_a_file(stack: Stack, name: str = "made.txt") -> Path:
    """Has a kernel write a file, as a notebook would."""
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        assert client.run(f"open('{name}', 'w').write('x'); print('done')") == "done\n"
    return stack.repositories / name


def test_an_unusual_owner_is_followed(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    os.chown(stack.repositories, 123456, 654321)
    stack.up()
    assert owner(write_a_file(stack)) == (123456, 654321)
    assert stack.shell("whoami", user="123456").strip() == "workhorse"
    # Whose notebooks they are is nothing to the door.
    assert stack.door_shell("stat -c '%u %a' /var/lib/workhorse").split() == ["1000", "700"]


def test_root_s_folder_as_cloned_is_given_to_the_first_user_with_what_the_clone_put_there(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    os.chown(stack.repositories, 0, 0)
    readme = stack.repositories / "README.md"
    readme.touch()
    stack.up()
    assert owner(stack.repositories) == (1000, 1000)
    stack.told("./repositories was root's, and now belongs to user 1000")
    assert owner(readme) == (1000, 1000)
    assert owner(write_a_file(stack)) == (1000, 1000)


def test_root_s_files_are_left_alone_and_the_command_is_told(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    os.chown(stack.repositories, 0, 0)
    precious = stack.repositories / "precious.ipynb"
    precious.touch()
    stack.up()
    assert owner(stack.repositories) == owner(precious) == (0, 0)
    told = ("belongs to root (mode 0755), and the server runs as user 1000", "sudo chown -R 1000:1000 './repositories'")
    stack.told(*told)
    status = stack.workhorse("status")
    assert all(text in status for text in told)


def test_another_owner_later_is_told_how_to_hand_the_home_over(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    trusted, door = stack.authority().read_text(), started_at(stack)
    stack.shell("echo kept > ~/kept; mkdir -m 700 ~/closed; touch ~/closed/file")
    os.chown(stack.repositories, 2000, 2000)
    (stack.repositories / "work.ipynb").touch()
    stack.compose("restart", LAB, KERNELS)
    told = stack.line("hand the home over")
    stack.told("belongs to user 1000, and the notebooks' folder to user 2000")
    stack.compose(*told.split("docker compose ")[1].split())
    stack.compose("restart", LAB, KERNELS)
    stack.up()
    assert owner(write_a_file(stack)) == (2000, 2000)
    assert (stack.authority().read_text(), started_at(stack)) == (trusted, door)
    assert stack.shell("cat ~/kept && rm ~/closed/file && pip --version", user="2000").startswith("kept\n")


def test_a_home_that_is_closed_to_its_owner_is_told_with_the_command_that_opens_it(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.shell("echo kept > ~/kept")
    stack.compose("stop", "-t", "1")
    stack.in_home_volume("chmod 000 /home")
    stack.compose("up", "-d", "--no-build")
    told = stack.line("To open it: ")
    assert "belongs to user" not in stack.told("The home volume is closed to its own owner (mode 0000).")
    stack.compose(*told.split("docker compose ")[1].split())
    stack.up()
    assert owner(write_a_file(stack)) == (1000, 1000)
    assert stack.shell("cat ~/kept; stat -c %u:%a ~").split() == ["kept", "1000:700"]


@pytest.mark.parametrize("services", [(LAB, KERNELS), SERVICES], ids=["behind the door", "all"])
@pytest.mark.parametrize("user", ["1001:1001", "123456:0"])
def test_a_container_started_as_another_user_works(own_stack: MakeStack, user: str, services: Sequence[str]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    started_as = ", ".join(f'{service}: {{user: "{user}"}}' for service in services)
    (stack.folder / "docker-compose.override.yml").write_text(f"services: {{{started_as}}}\n")
    uid, gid = map(int, user.split(":"))
    os.chown(stack.repositories, uid, gid)
    stack.up()
    assert owner(write_a_file(stack)) == (uid, gid)
    assert stack.shell("whoami", user=user).strip() == "workhorse"
    served_by = "1000:1000" if DOOR not in services else user
    assert stack.door_shell("stat -c %u:%g /var/lib/workhorse/password-hash", user=served_by).strip() == served_by
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        assert "Successfully installed" in client.run("%pip install --disable-pip-version-check cowsay")


def user_namespace(stack: Stack, script: str, image: str, *options: str) -> list[str]:
    """A command that runs a script as root of a user namespace, as in rootless Docker: somebody else outside."""
    command = ["docker", "run", "--rm", "--security-opt", "seccomp=unconfined", "--cap-add", "SYS_ADMIN", *options]
    volume, inside = f"{stack.repositories}:/repositories", f"exec unshare --user --map-root-user {script}"
    return [*command, "-v", volume, "--entrypoint", "/bin/bash", image, "-c", inside]


def in_user_namespace(stack: Stack, script: str, image: str = LAB_IMAGE) -> str:
    result = subprocess.run(user_namespace(stack, script, image), capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


@contextmanager
def lab_in_user_namespace(stack: Stack) -> Iterator[Callable[[str], str]]:
    """A lab that serves there, without a door; yields what tells its log, as soon as it holds a text."""
    name = f"{stack.project}-namespace"
    # Its log is what counts, so it starts without what only a real Compose project gives it.
    subprocess.run(user_namespace(stack, START, LAB_IMAGE, "-d", "--name", name), check=True, capture_output=True)

    def log() -> str:
        logs = ["docker", "logs", name]
        return subprocess.run(logs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=True).stdout

    def told(text: str) -> str:
        return poll(lambda: said if text in (said := log()) else None, wanted=text)

    try:
        told(ITS_ADDRESS)
        yield told
    finally:
        subprocess.run(["docker", "rm", "-f", name], check=True, capture_output=True)


# That of a JupyterLab without a door, with its token.
ITS_ADDRESS = "/lab?token="
START, DOOR_START = (f"/opt/server/bin/python -I -m entrypoint.{each}" for each in ("lab", "door"))


def test_root_of_a_user_namespace_is_the_person(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    os.chown(stack.repositories, 0, 0)
    (stack.repositories / "mine.ipynb").touch()
    assert in_user_namespace(stack, f"{START} id -u").splitlines()[-1] == "0"
    assert in_user_namespace(stack, f"{DOOR_START} id -u", IMAGE).splitlines()[-1] == "0"
    in_user_namespace(stack, f"{START} touch /repositories/made.txt")
    assert owner(stack.repositories / "made.txt") == (0, 0)
    with lab_in_user_namespace(stack) as told:
        assert "Nothing can be saved" not in told(ITS_ADDRESS)


def test_a_mode_that_keeps_out_the_person_is_told_in_a_user_namespace(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    os.chown(stack.repositories, 0, 0)
    stack.repositories.chmod(0o555)
    with lab_in_user_namespace(stack) as told:
        told("Nothing can be saved: the mode of /repositories (0555) keeps out its own owner.")
        told("chmod u+rwx '/repositories'")
    refused = in_user_namespace(stack, f"{START} bash -c 'touch /repositories/x 2>&1 || true'")
    assert "Permission denied" in refused


def test_a_folder_of_another_is_told_in_a_user_namespace_and_the_server_is_still_the_person(
    own_stack: MakeStack,
) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    os.chown(stack.repositories, 1000, 1000)
    assert in_user_namespace(stack, f"{START} id -u").splitlines()[-1] == "0"
    with lab_in_user_namespace(stack) as told:
        told("belongs to another user than the one who runs Docker")
        told("sudo chown -R $(id -u):$(id -g) '/repositories'")
    assert owner(stack.repositories) == (1000, 1000)


def test_a_folder_that_keeps_out_its_owner_is_told_with_the_command_that_mends_it(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.repositories.chmod(0o555)
    stack.up()
    stack.told("(0555) keeps out its own owner")
    assert "(0555) keeps out its own owner" in stack.workhorse("status")
    command = stack.line("u+rwx").partition("On the host: ")[2]
    subprocess.run(["sh", "-c", command], cwd=stack.folder, check=True)
    assert "Nothing can be saved" not in stack.workhorse("status")
    assert owner(write_a_file(stack)) == (1000, 1000)


def test_a_read_only_folder_is_told(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.override((LAB, KERNELS), "volumes:", "  - ./repositories:/repositories:ro")
    stack.up()
    stack.told("is mounted read-only")
    assert "is mounted read-only" in stack.workhorse("status")


def test_a_command_of_one_s_own_runs_as_the_person(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    output = stack.compose("run", "--rm", "-T", KERNELS, "bash", "-c", "id -u; touch /repositories/by-hand").stdout
    assert output.split() == ["1000"]
    assert owner(stack.repositories / "by-hand") == (1000, 1000)


def test_groups_that_compose_gives_are_the_person_s_too(own_stack: MakeStack) -> None:
    """As for a folder that a whole laboratory shares."""
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.override((LAB, KERNELS), 'group_add: ["2770"]')
    shared = stack.repositories / "shared"
    shared.mkdir()
    os.chown(shared, 0, 2770)
    shared.chmod(0o2770)
    stack.up()
    assert owner(write_a_file(stack, "shared/made.txt")) == (1000, 2770)
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        assert [each["name"] for each in client.api("GET", "contents/shared")["content"]] == ["made.txt"]
    assert "2770" in stack.compose("exec", "-T", KERNELS, "bash", "-c", "id -G").stdout.split()


@pytest.mark.parametrize(
    ("whose", "mode", "told"),
    [
        (0, 0o755, "The notebooks' folder ./repositories is empty, and another one than was served last."),
        (1700, 0o700, "belongs to user 1700, group 1700 (mode 0700), and the server runs as user 1500."),
    ],
    ids=["root's", "another's, who alone may look into it"],
)
def test_a_disk_that_is_not_mounted_yet_is_told_and_its_mount_point_left_as_it_is(
    own_stack: MakeStack, whose: int, mode: int, told: str
) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    os.chown(stack.repositories, 1500, 1600)
    (stack.repositories / "work.ipynb").touch()
    stack.up()
    stack.compose("stop", "-t", "1")
    disk = stack.repositories.rename(stack.folder / "disk")
    stack.repositories.mkdir(mode=mode)
    os.chown(stack.repositories, whose, whose)
    stack.compose("up", "-d", "--no-build", "--force-recreate", "--wait")
    assert owner(stack.repositories) == (whose, whose)
    stack.told(told)
    assert told in stack.workhorse("status")
    stack.repositories.rmdir()
    disk.rename(stack.repositories)
    stack.compose("restart", LAB, KERNELS)
    stack.up()
    assert stack.shell("ls /repositories", user="1500").split() == ["work.ipynb"]
    assert told not in stack.workhorse("status")
