"""Disks that are full, volumes that are gone, folders that change: each is told, and nothing is lost."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence

import requests
from pyotp import TOTP

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stack.test_faults import MEGABYTE, kept_state, wait_for
from tests.stack.test_second_factor import STATE as SECOND_FACTOR
from tests.stack.test_second_factor import Phone, fresh_code
from tests.stacks import DOOR, IMAGE, KERNELS, LAB, Stack, poll

MakeStack = Callable[..., Stack]
FILLER, LOGINS = "/var/lib/workhorse/filler", "/var/lib/workhorse/logins.json"


def save(client: Client, path: str, content: str) -> requests.Response:
    body = {"type": "file", "format": "text", "content": content}
    headers = {"X-XSRFToken": client.session.cookies["_xsrf"]}
    return client.session.put(f"{client.url}/api/contents/{path}", json=body, headers=headers, timeout=60)


def small(stack: Stack, services: str | Sequence[str], target: str, size: str) -> None:
    """Puts one of the stack's folders on a small disk in memory, which Docker mounts and unmounts."""
    options = f'{{type: tmpfs, device: tmpfs, o: "size={size},uid=1000,mode=755"}}'
    stack.override(services, f"volumes: [{{type: volume, source: small, target: {target}}}]")
    with (stack.folder / "docker-compose.override.yml").open("a") as file:
        file.write(f"volumes: {{small: {{driver: local, driver_opts: {options}}}}}\n")


def fill_state(stack: Stack) -> None:
    """Leaves no byte free in a small volume."""
    stack.door_shell(f"head -c 2M /dev/zero >{FILLER}", check=False)
    assert stack.door_shell(f"stat -f -c %a {FILLER}") == "0\n"


def test_a_full_disk_is_told_and_the_old_file_is_whole(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    small(stack, (LAB, KERNELS), "/repositories", "20m")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        assert save(client, "notes.txt", "a" * 9 * MEGABYTE).status_code == 201
        for path in ("notes.txt", "new.txt"):
            refused = save(client, path, "b" * 15 * MEGABYTE)
            assert refused.status_code == 500
            assert "No space left on device" in refused.json()["message"]
        assert stack.shell("cd /repositories; ls -A; tr -d a <notes.txt | wc -c; wc -c <notes.txt").split() == [
            "notes.txt", "0", str(9 * MEGABYTE),
        ]  # fmt: skip
        assert save(client, "notes.txt", "c").status_code == 200


def test_a_certificate_that_finds_no_room_is_told_and_the_server_serves_on(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    small(stack, DOOR, "/var/lib/workhorse", "1m")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        fill_state(stack)
        # Overwritten in its place: what is removed would leave room for the new one.
        stack.door_shell("printf %0200d 0 | dd of=/var/lib/workhorse/tls/server.pem conv=notrunc")
        stack.told("No space left on device")
        client.session.close()
        assert client.is_logged_in()
        stack.door_shell(f"rm {FILLER}")
        poll(
            lambda: stack.door_shell("ls /var/lib/workhorse/tls/server.pem", check=False) or None,
            wanted="a certificate",
        )
        client.session.close()
        assert client.is_logged_in()


def test_a_login_that_finds_no_room_in_the_list_is_let_in_and_told(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    small(stack, DOOR, "/var/lib/workhorse", "1m")
    stack.up()
    authority = stack.authority()
    with Client(stack.url, authority) as client:
        client.login(PASSWORD)
        listed = stack.door_shell(f"cat {LOGINS}")
        fill_state(stack)
        with Client(stack.url, authority) as another:
            assert another.login(PASSWORD).status_code == 302
            assert another.is_logged_in()
        stack.told(f"{LOGINS} can't be written: No space left on device.")
        assert stack.door_shell(f"cat {LOGINS}") == listed
        stack.door_shell(f"rm {FILLER}")
        assert client.login(PASSWORD).status_code == 302
    assert len(json.loads(stack.door_shell(f"cat {LOGINS}"))) == 3


def test_a_code_that_can_t_be_kept_as_spent_is_refused_and_told(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, TOTP="on")
    small(stack, DOOR, "/var/lib/workhorse", "1m")
    stack.up()
    stack.workhorse("totp")
    kept = stack.door_shell(f"cat {SECOND_FACTOR}")
    phone = Phone(TOTP(json.loads(kept)["secret"]), [])
    with Client(stack.url, stack.authority()) as client:
        fill_state(stack)
        assert client.login(PASSWORD, fresh_code(phone)).status_code == 401
        stack.told("A right code is refused, since it can't be kept as spent")
        stack.told(f"{SECOND_FACTOR} can't be written: No space left on device.")
        assert stack.door_shell(f"cat {SECOND_FACTOR}") == kept
        stack.door_shell(f"rm {FILLER}")
        assert client.login(PASSWORD, fresh_code(phone)).status_code == 302


def remove_volume(stack: Stack, name: str) -> None:
    stack.compose("down")
    subprocess.run(["docker", "volume", "rm", f"{stack.project}_{name}"], check=True, capture_output=True)


def test_a_deleted_state_is_made_anew_and_told(own_stack: MakeStack) -> None:
    stack = own_stack()
    stack.up()
    old = stack.authority().read_bytes(), stack.generated_password()
    (stack.repositories / "work.txt").write_text("kept")
    stack.shell("touch ~/kept")
    remove_volume(stack, "state")
    stack.up()
    new = stack.authority().read_bytes(), stack.generated_password()
    assert old[0] != new[0] and old[1] != new[1]
    with Client(stack.url, stack.authority()) as client:
        assert client.login(old[1]).status_code == 401
        assert client.login(new[1]).status_code == 302
        assert client.api("GET", "contents/work.txt")["content"] == "kept"
    assert stack.workhorse("status")
    stack.shell("ls ~/kept")


def test_a_deleted_home_gets_its_virtual_environment_again(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    before = kept_state(stack)
    remove_volume(stack, "home")
    stack.up()
    assert kept_state(stack) == before
    assert stack.shell("command -v pip; pip --version >/dev/null").strip() == "/home/workhorse/venv/bin/pip"
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        assert client.run("import sys; print(sys.prefix)") == "/home/workhorse/venv\n"


def test_a_folder_that_was_moved_away_is_served_until_the_restart(stack: Stack, client: Client) -> None:
    moved = stack.folder / "moved"
    stack.repositories.rename(moved)
    stack.repositories.mkdir()
    stack.repositories.chmod(0o777)
    assert save(client, "moved.txt", "where am I").status_code == 201
    assert (moved / "moved.txt").read_text() == "where am I"
    stack.compose("restart", LAB, KERNELS)
    wait_for(client)
    assert [entry["name"] for entry in client.api("GET", "contents")["content"]] == []
    assert save(client, "new.txt", "here").status_code == 201
    assert (stack.repositories / "new.txt").read_text() == "here"


def test_a_folder_that_was_deleted_is_told_and_every_command_still_runs(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        shutil.rmtree(stack.repositories)
        refused = save(client, "refused.txt", "x")
        assert refused.status_code >= 400
        assert "gone on the host; make it again there, then: docker compose restart lab" in refused.json()["message"]
        assert "https://localhost" in stack.workhorse("status")
        stack.repositories.mkdir()
        stack.repositories.chmod(0o777)
        stack.compose("restart", LAB, KERNELS)
        wait_for(client)
        assert save(client, "again.txt", "x").status_code == 201


def test_a_folder_that_turned_read_only_is_told_and_writable_again(stack: Stack, client: Client) -> None:
    stack.repositories.chmod(0o555)
    refused = save(client, "refused.txt", "x")
    assert refused.status_code == 403
    assert refused.json()["message"] == "Permission denied: refused.txt"
    stack.repositories.chmod(0o777)
    assert save(client, "refused.txt", "x").status_code == 201


def test_a_folder_that_is_mounted_read_only_is_told_and_writable_again(stack: Stack, client: Client) -> None:
    assert save(client, "mounted.txt", "old").status_code == 201
    in_mounts(stack, "mount", "-o", "remount,bind,ro", "/repositories")
    for path in ("mounted.txt", "new.txt"):
        refused = save(client, path, "new")
        assert refused.status_code >= 400
        assert "Read-only file system" in refused.json()["message"]
    assert client.api("GET", "contents/mounted.txt")["content"] == "old"
    in_mounts(stack, "mount", "-o", "remount,bind,rw", "/repositories")
    assert save(client, "mounted.txt", "new").status_code == 200
    assert (stack.repositories / "mounted.txt").read_text() == "new"


def in_mounts(stack: Stack, *command: str) -> None:
    """Changes what the running lab has mounted, as the engine's host could."""
    inside = ["nsenter", "-t", str(stack.lab.attrs["State"]["Pid"]), "-m", "-p", *command]
    options = ["--privileged", "--pid", "host", "--entrypoint", inside[0]]
    subprocess.run(["docker", "run", "--rm", *options, IMAGE, *inside[1:]], check=True, capture_output=True)


def test_an_unmounted_folder_is_told_and_there_again_after_a_restart(stack: Stack, client: Client) -> None:
    assert save(client, "disk.txt", "x").status_code == 201
    in_mounts(stack, "umount", "-l", "/repositories")
    assert client.is_logged_in()
    refused = save(client, "disk.txt", "y")
    assert refused.status_code >= 400
    assert "Read-only file system" in refused.json()["message"]
    stack.compose("restart", LAB, KERNELS)
    wait_for(client)
    assert client.api("GET", "contents/disk.txt")["content"] == "x"
