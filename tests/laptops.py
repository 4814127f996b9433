"""A laptop: a real Syncthing in a container of its own, which knows a server by what a person pastes and types."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
from dotenv import dotenv_values

from entrypoint.laptops.command import RECONNECT_SECONDS
from tests.stacks import IMAGE, REPOSITORY, Stack, free_port, new_stack, poll, prepared

SYNC_IMAGE = f"{IMAGE}-sync"
SYNC = "sync"
# In the order of Compose's own: what the tests' images are, then what is switched on.
SYNC_FILES = (REPOSITORY / "compose" / "sync.yml", REPOSITORY / "tests" / "sync.yml")
API_KEY = "laptop"
OWNER = (1500, 1600)
FOLDER = "workhorse"
# Where nothing else is measured: generous, for a machine that does much else.
# What Syncthing could not do at once, as while a file changed below it, it tries again after a minute.
STEP_SECONDS = 150


class SyncStack(Stack):
    """A stack that keeps in step."""

    more_files = SYNC_FILES

    def sync_log(self) -> str:
        return self.log_of(SYNC)

    def write(self, path: str, content: bytes | str) -> Path:
        """As a kernel saves a file, or who works on the server itself."""
        return write_as(OWNER, self.repositories / path, content)


def new_sync_stack(folder: Path, **settings: str) -> SyncStack:
    """The notebooks' folder is another user's than the laptop's, and than the door's."""
    stack = new_stack(folder, SYNC_PORT=str(free_port()), **settings)
    os.chown(stack.repositories, *OWNER)
    return SyncStack(stack.folder, stack.project, stack.port)


def sync_port(stack: Stack) -> str:
    return str(dotenv_values(stack.folder / ".env")["SYNC_PORT"])


@dataclass(frozen=True)
class Laptop:
    """One container with Syncthing, whose files lie in a folder of the test's.

    Args:
        home: Where its Syncthing keeps key, configuration and index.
        user: As whom it runs.
    """

    name: str
    home: Path
    port: int
    user: tuple[int, int] = (1000, 1000)

    @property
    def folder(self) -> Path:
        return self.home / FOLDER

    def create(self) -> None:
        self.home.mkdir(parents=True)
        os.chown(self.home, *self.user)
        # In the machine's own network: it comes by the port that Docker publishes, as a laptop does.
        user, volume = f"{self.user[0]}:{self.user[1]}", f"{self.home}:/laptop"
        options = [
            "--init",
            "--name",
            self.name,
            "--network",
            "host",
            "--user",
            user,
            "-v",
            volume,
            "-e",
            "HOME=/laptop",
        ]
        script = """
            syncthing generate --home=/laptop/st --no-default-folder >/laptop/log
            sed -i -e 's/<localAnnounceEnabled>true/<localAnnounceEnabled>false/' \\
                -e 's/<globalAnnounceEnabled>true/<globalAnnounceEnabled>false/' \\
                -e 's/<relaysEnabled>true/<relaysEnabled>false/' -e 's/<natEnabled>true/<natEnabled>false/' \\
                -e 's/<crashReportingEnabled>true/<crashReportingEnabled>false/' \\
                -e 's|<listenAddress>default|<listenAddress>tcp://127.0.0.1:0|' /laptop/st/config.xml
            exec sleep infinity
        """
        command = ["docker", "run", "-d", *options, "--entrypoint", "/bin/sh", SYNC_IMAGE, "-c", script]
        subprocess.run(command, check=True, capture_output=True)
        poll(lambda: "tcp://127.0.0.1:0<" in self._configuration() or None, wanted="the laptop's configuration")

    def _configuration(self) -> str:
        file = self.home / "st" / "config.xml"
        return file.read_text() if file.exists() else ""

    def start(self) -> None:
        options = f"--no-browser --no-restart --gui-address=127.0.0.1:{self.port} --gui-apikey={API_KEY}"
        # One process, without the one that watches it, so that a signal is the working one's (STMONITORED).
        serve = f"STMONITORED=yes exec syncthing serve --home=/laptop/st {options}"
        self.run(f"{serve} >>/laptop/log 2>&1 & echo $! >/laptop/pid")
        poll(self._answers, wanted="the laptop's Syncthing")

    def _answers(self) -> bool | None:
        try:
            return requests.get(f"http://127.0.0.1:{self.port}/rest/noauth/health", timeout=5).ok or None
        except requests.RequestException:
            return None

    def stop(self, signal: str = "TERM") -> None:
        """Ends Syncthing, and waits until it has ended."""
        self.run(f"kill -{signal} $(cat /laptop/pid)")
        poll(
            lambda: not self.run("kill -0 $(cat /laptop/pid) 2>&- && echo there", check=False) or None, wanted="its end"
        )

    def run(self, script: str, check: bool = True) -> str:
        """In a shell on the laptop, as a person pastes it."""
        command = ["docker", "exec", self.name, "/bin/sh", "-c", script]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if check and result.returncode:
            raise AssertionError(f"{script}: {result.stdout}{result.stderr}")
        return result.stdout

    def ask(self, path: str, method: str = "GET", **options: Any) -> Any:
        headers = {"X-API-Key": API_KEY}
        url = f"http://127.0.0.1:{self.port}/rest/{path}"
        response = requests.request(method, url, headers=headers, timeout=30, **options)
        response.raise_for_status()
        return response.json() if response.content.strip() else None

    @property
    def device(self) -> str:
        return str(self.ask("system/status")["myID"])

    @property
    def folder_id(self) -> str:
        return str(self.ask("config/folders")[0]["id"])

    def paste(self, shown: str) -> str:
        """Runs the block that `workhorse sync` shows; returns the device id that it ends with."""
        lines = [line.strip() for line in shown.splitlines() if re.match(r"  (mkdir|syncthing cli) ", line)]
        assert len(lines) == 5, shown
        api = f"syncthing cli --gui-address=127.0.0.1:{self.port} --gui-apikey={API_KEY}"
        said = self.run("set -e\n" + "\n".join(lines).replace("syncthing cli", api))
        return said.split('"myID": "')[1].split('"')[0]

    def wait_in_step(self, seconds: float = STEP_SECONDS) -> None:
        """Until neither side has anything to get from the other, by what both have told each other."""
        poll(lambda: self.is_in_step() or None, seconds, f"{self.name} in step")

    def is_in_step(self) -> bool:
        folder = self.folder_id
        here = self.ask("db/status", params={"folder": folder})
        (server,) = [each["deviceID"] for each in self.ask("config/devices") if each["deviceID"] != self.device]
        connection = self.ask("system/connections")["connections"].get(server, {})
        there = self.ask("db/completion", params={"folder": folder, "device": server})
        is_idle = here["state"] == "idle" and not here["needTotalItems"]
        has_all = there["remoteState"] == "valid" and there["completion"] == 100 and not there["needDeletes"]
        return bool(connection.get("connected")) and is_idle and has_all

    def write(self, path: str, content: bytes | str) -> Path:
        """As the laptop's owner saves a file."""
        return write_as(self.user, self.folder / path, content)


def write_as(user: tuple[int, int], path: Path, content: bytes | str) -> Path:
    for folder in reversed(path.parents):
        if not folder.exists():
            folder.mkdir()
            os.chown(folder, *user)
    half = path.with_name(f".~{path.name}")
    half.write_bytes(content.encode() if isinstance(content, str) else content)
    os.chown(half, *user)
    half.replace(path)
    return path


def content_of(path: Path) -> bytes | None:
    """What a file holds; None where there is none at this moment, as while Syncthing puts another in its place."""
    with suppress(FileNotFoundError):
        return path.read_bytes()
    return None


def arrives(path: Path, content: bytes | str, seconds: float = STEP_SECONDS) -> float:
    """Waits until a file holds a content; returns after how many seconds."""
    expected, began = content.encode() if isinstance(content, str) else content, time.monotonic()
    looked_at: list[tuple[int, ...]] = []

    def is_there() -> bool | None:
        try:
            status = path.stat()
            look = (status.st_ino, status.st_size, status.st_mtime_ns)
            # A large one is read once, and not at every look.
            if status.st_size != len(expected) or look in looked_at:
                return None
            looked_at.append(look)
            return path.read_bytes() == expected or None
        except OSError:
            return None

    poll(is_there, seconds, f"{path.name} with what was written")
    return time.monotonic() - began


def pair(stack: Stack, laptop: Laptop, name: str = "ada") -> None:
    """The three things that a person types."""
    device = laptop.paste(stack.workhorse("sync", "--another"))
    said = stack.workhorse("sync", "pair", device, name)
    assert f"Paired with {name}." in said, said
    # Tests kill one side often, and wait for the other to look for it again.
    assert laptop.ask("config/options")["reconnectionIntervalS"] == RECONNECT_SECONDS
    laptop.ask("config/options", "PATCH", json={"reconnectionIntervalS": 1})
    laptop.wait_in_step()


@contextmanager
def laptop_in(home: Path, user: tuple[int, int] = (1000, 1000)) -> Iterator[Laptop]:
    laptop = Laptop(f"workhorse-test-laptop-{secrets.token_hex(4)}", home, free_port(), user)
    try:
        laptop.create()
        laptop.start()
        yield laptop
    finally:
        subprocess.run(["docker", "rm", "-f", laptop.name], capture_output=True, check=False)


@contextmanager
def serving(folder: Path, **settings: str) -> Iterator[SyncStack]:
    """A running stack that keeps in step."""
    stack = new_sync_stack(folder, SERVER_NAMES="127.0.0.1", **settings)
    with prepared(stack):
        stack.up()
        yield stack


@contextmanager
def paired_laptop(stack: Stack, folder: Path) -> Iterator[Laptop]:
    """Ada's, in step with the stack."""
    with laptop_in(folder / "ada") as laptop:
        pair(stack, laptop)
        yield laptop


MakeLaptop = Callable[..., Laptop]
