"""A Docker engine of a test's own beside the machine's, so that it may be killed."""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.stacks import IMAGE, KERNELS_IMAGE, LAB_IMAGE, poll

CLONE_NEWNET = 0x40000000  # sched.h


def reason_for_none() -> str | None:
    """Why there can be no second engine here."""
    if os.getuid() != 0:
        return "only root may start a second Docker engine"
    return None if shutil.which("dockerd") else "there is no dockerd here to start a second Docker engine with"


@dataclass
class Engine:
    """An engine that keeps everything below one folder, and runs in the network that it is started from."""

    folder: Path
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def address(self) -> str:
        return f"unix://{self.folder}/docker.sock"

    @property
    def data(self) -> Path:
        return self.folder / "data"

    def start(self) -> None:
        """As host/engine starts it where no init system runs, and waits until it answers."""
        places = ["--host", self.address, "--data-root", str(self.data), "--exec-root", f"{self.folder}/exec"]
        command = ["dockerd", *places, "--pidfile", f"{self.folder}/pid"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        poll(self._answers, wanted="the second engine")

    def _answers(self) -> bool:
        asked = subprocess.run(["docker", "-H", self.address, "version"], capture_output=True, check=False)
        return asked.returncode == 0

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process:
            self.process.send_signal(how)
            self.process.wait(60)

    def start_with_images(self) -> None:
        """Starts it for the first time, with the product's images."""
        # Where layers can be shared they are, since a copy of 2 GB takes a minute.
        machine = docker("info", "--format", "{{.Driver}} {{.DockerRootDir}}").split()
        if machine[0] == "overlay2":
            share_layers(Path(machine[1]), self.data)
            self.start()
            return
        self.start()
        image = self.folder / "image.tar"
        docker("save", "-o", str(image), IMAGE, LAB_IMAGE, KERNELS_IMAGE)
        docker("-H", self.address, "load", "-i", str(image))
        image.unlink()


@contextmanager
def second_engine(folder: Path) -> Iterator[Engine]:
    """An engine that holds the product's images, in a network where this test is too, until the test's end."""
    engine = Engine(folder)
    with own_network():
        try:
            engine.start_with_images()
            yield engine
        finally:
            engine.stop()
            # One that follows a killed one leaves this mounted.
            subprocess.run(["umount", engine.data], capture_output=True, check=False)


@contextmanager
def own_network() -> Iterator[None]:
    """Takes this thread and what it starts out of the machine's network: a second engine there deletes docker0."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as machine:
        if libc.unshare(CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "unshare")
        try:
            subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
            yield
        finally:
            if libc.setns(machine.fileno(), CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), "setns")


def docker(*arguments: str) -> str:
    return subprocess.run(["docker", *arguments], capture_output=True, text=True, check=True).stdout


def share_layers(source: Path, target: Path) -> None:
    """Copies what an engine knows of its images, a few MB, and links to their layers, which no engine writes to."""
    (target / "overlay2").mkdir(parents=True)
    for name in ("image/overlay2/imagedb", "image/overlay2/layerdb/sha256", "overlay2/l"):
        poll(lambda name=name: copied(source / name, target / name), wanted=f"a copy of {name}")  # type: ignore[misc]
    shutil.copy(source / "image/overlay2/repositories.json", target / "image/overlay2")
    for layer in (source / "overlay2").iterdir():
        if layer.name != "l":
            (target / "overlay2" / layer.name).symlink_to(layer)


def copied(source: Path, target: Path) -> bool | None:
    """Copies a folder whole; None where something of it went away meanwhile, as containers of other tests do."""
    shutil.rmtree(target, ignore_errors=True)
    try:
        shutil.copytree(source, target, symlinks=True)
    except (shutil.Error, FileNotFoundError):
        return None
    return True
