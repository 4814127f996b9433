"""Bad input: one clear error that names the setting and the line that mends it, exit status 1, nothing lost."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.files.places import Places
from tests.clients import Client, Kernel
from tests.conftest import PASSWORD
from tests.stacks import IMAGE, Stack, poll, start_container

MakeStack = Callable[..., Stack]
TO_SET_IT = ": CA_FILE=./company-ca.pem"


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("PORT", "abc"),
        ("PORT", "70000"),
        ("BIND_ADDRESS", "localhost"),
        ("SESSION_DAYS", "forever"),
        ("TOTP", "perhaps"),
        ("TRUSTED_PROXIES", "0.0.0.0/0"),
        ("MEMORY_LIMIT", "much"),
        ("CERTIFICATE_FILE", "/etc/ssl/lab.pem"),
        ("LETSENCRYPT_EMAIL", "ada"),
        ("ACME_SERVER", "ca.example.org"),
        ("SERVER_NAMES", "my lab"),
        ("SERVER_NAMES", "*.example.org"),
        ("SERVER_NAMES", "a" * 300),
        ("SERVER_NAMES", "192.168.1.300"),
        ("JUPYTER_PASSWORD", "short"),
        ("JUPYTER_PASSWORD", "change-me"),
        ("JUPYTER_PASSWORD_FILE", "/nowhere"),
        ("JUPYTER_PASSWORD_FILE", "/dev/null"),
    ],
)
def test_a_malformed_setting_ends_the_start(setting: str, value: str) -> None:
    result = start_container({setting: value})
    assert result.returncode == 1
    assert result.stdout == ""
    first, remedy = result.stderr.splitlines()
    assert first.startswith(setting)
    assert setting in remedy


def test_all_problems_are_told_at_once() -> None:
    result = start_container({"PORT": "x", "SERVER_NAMES": "a b", "JUPYTER_PASSWORD": "y", "BIND_ADDRESS": "z"})
    firsts = [line.split()[0] for line in result.stderr.splitlines() if not line.startswith(" ")]
    assert firsts == ["BIND_ADDRESS", "JUPYTER_PASSWORD", "PORT", "SERVER_NAMES"]


def test_compose_shows_the_error_in_its_log_and_no_kernel_ends_by_it(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
        kernel = client.start_kernel()
        kernel.run("kept = 'kept'")
        stack.set(JUPYTER_PASSWORD="short")
        stack.compose("up", "-d", "--no-build")
        log = poll(lambda: stack.door_log() or None, wanted="the error")
        assert log.startswith("JUPYTER_PASSWORD has 5 characters, fewer than 8.\n")
        stack.set(JUPYTER_PASSWORD=PASSWORD)
        stack.up()
        again = Kernel(client, kernel.id)
        assert again.run("print(kept)") == "kept\n"
        again.shut_down()


def test_a_misspelt_setting_is_told_and_nothing_else_of_the_environment(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, JUPYTER_PASWORD="a secret all the same")
    stack.up()
    log = stack.told("  ATTENTION     JUPYTER_PASWORD is no setting, and does nothing.")
    assert log.count("is no setting") == 1
    # What stands there may be a secret, which no kernel is to see.
    with Client(stack.url, stack.authority()) as client:
        client.login(PASSWORD)
        assert "secret" not in client.run("import os; print(dict(os.environ))")


def test_a_file_without_a_certificate_is_no_authority(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, CA_FILE="./notes.txt")
    (stack.folder / "notes.txt").write_text("no certificate at all")
    stack.compose("up", "-d", "--no-build")
    for container in (stack.container, stack.lab, stack.kernels):
        log = poll(lambda each=container: told if TO_SET_IT in (told := each.logs().decode()) else None)  # type: ignore[misc]
        assert log.startswith("CA_FILE names a file that holds no certificate, or a damaged one.\n")


def test_a_password_and_a_file_are_not_both_taken(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, JUPYTER_PASSWORD_FILE="./password.txt")
    (stack.folder / "password.txt").write_text("another horse battery")
    stack.compose("up", "-d", "--no-build")
    assert PASSWORD not in stack.told("are both set")
    assert stack.compose("run", "--rm", "-T", "workhorse", check=False).returncode == 1


def test_a_missing_password_file_is_named(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD_FILE="./no-such-file.txt")
    result = stack.compose("up", "-d", "--no-build", check=False)
    assert result.returncode != 0
    last = result.stderr.splitlines()[-1]
    assert "does not exist" in last
    assert "no-such-file.txt" in last
    assert not (stack.folder / "no-such-file.txt").exists()


def test_a_missing_folder_is_not_made_by_root(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, REPOSITORIES="./no-such-folder")
    result = stack.compose("up", "-d", "--no-build", check=False)
    assert result.returncode != 0
    assert "no-such-folder" in result.stderr
    assert not (stack.folder / "no-such-folder").exists()


@pytest.mark.parametrize("options", [(), ("--user", "1000")], ids=["root", "user"])
def test_a_read_only_state_volume_ends_the_start(tmp_path: Path, options: tuple[str, ...]) -> None:
    tmp_path.chmod(0o777)
    mount = f"type=bind,src={tmp_path},dst=/var/lib/workhorse,readonly"
    result = start_container({"JUPYTER_PASSWORD": PASSWORD}, "--mount", mount, *options)
    assert result.returncode == 1
    first, remedy = result.stderr.splitlines()
    assert first.startswith("/var/lib/workhorse")
    assert "Read-only file system" in first
    assert "without read-only" in remedy


def test_a_full_state_volume_ends_the_start() -> None:
    # 64 kB are 16 pages: after 13 of filler some of the files find room, and the next does not.
    script = "head -c 53000 /dev/zero >/var/lib/workhorse/filler; exec /opt/server/bin/python -I -m entrypoint.door"
    command = ["docker", "run", "--rm", "--tmpfs", "/var/lib/workhorse:size=64k", "-e", f"JUPYTER_PASSWORD={PASSWORD}"]
    result = subprocess.run(
        [*command, "--entrypoint", "/bin/bash", IMAGE, "-c", script],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert result.returncode == 1, result.stdout
    first, remedy = result.stderr.splitlines()
    assert "No space left on device" in first
    assert "docker system df" in remedy


DAMAGE = {
    "truncated": 'head -c 20 "$f" >/tmp/x; cat /tmp/x >"$f"',
    "empty": ': >"$f"',
    "garbage": 'head -c 2000 /dev/urandom >"$f"',
    "open to all": 'chmod 666 "$f"',
    "closed to all": 'chmod 000 "$f"; chown 4242:4242 "$f"',
    "a directory": 'rm "$f"; mkdir "$f"; touch "$f/x"',
    "a dangling link": 'rm "$f"; ln -s /nowhere "$f"',
}
FILES = f"tls/authority.pem tls/server.pem password-hash cookie-secret device-secret {Places().config.name}"


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_damaged_files_in_the_volume_are_made_anew(own_stack: MakeStack, damage: str) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.compose("stop")
    stack.in_state_volume(f"cd /state; for f in {FILES}; do {damage}; done")
    stack.up()
    with Client(stack.url, stack.authority()) as client:
        assert client.login(PASSWORD).status_code == 302
    modes = stack.in_state_volume(f"cd /state; stat -c '%a %u %F' {FILES}")
    assert set(modes.splitlines()) == {"600 1000 regular file"}
    # What is whole still is no loss, and the configuration is written at each start.
    lost = 0 if "chmod" in damage else 5
    poll(lambda: stack.log().count("can't be used") == lost or None, wanted="a line about each that is lost")


def test_a_folder_of_keys_that_is_none_is_set_aside(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    stack.compose("stop")
    stack.in_state_volume("cd /state; mv tls kept; ln -s /etc tls")
    stack.up()
    assert "tls.set-aside-1" in stack.in_state_volume("ls /state")
