"""Much at once: 20,000 small files beside rsync in the same run, and one of 2 GB. What it took is printed (-s)."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.laptops import OWNER, SYNC, Laptop, SyncStack
from tests.stacks import poll

FILES, FOLDERS, BIG_BYTES = 20_000, 100, 2_000_000_000
CHUNK = os.urandom(1 << 20)
# On a machine that does much else; alone it is a tenth of that.
SECONDS_MAX = 1500


def beside_rsync(source: Path, target: Path) -> str:
    """What rsync takes for a copy on the same disk, without a network or another owner; nothing where there is none."""
    if not shutil.which("rsync"):
        return ""
    began = time.monotonic()
    subprocess.run(["rsync", "-a", str(source), str(target)], check=True)
    return f"; rsync on the same disk {time.monotonic() - began:.1f} s"


def peak_memory(server: SyncStack) -> int:
    """In bytes, of the whole container, less what the kernel would give back."""
    memory: Any = server.container_of(SYNC).stats(stream=False)["memory_stats"]  # type: ignore[index]
    return int(memory["usage"] - memory["stats"].get("inactive_file", 0))


def test_many_small_files_arrive_whole_and_the_laptop_s_owner_s(server: SyncStack, ada: Laptop, tmp_path: Path) -> None:
    source = tmp_path / "many"
    for folder in range(FOLDERS):
        (source / str(folder)).mkdir(parents=True)
        for number in range(FILES // FOLDERS):
            (source / str(folder) / f"{number}.txt").write_text(f"{folder} {number}\n" * 50)
    subprocess.run(["chown", "-R", "{}:{}".format(*OWNER), str(source)], check=True)
    beside = beside_rsync(source, tmp_path / "copy")
    peak = 0

    def arrived() -> bool | None:
        nonlocal peak
        peak = max(peak, peak_memory(server))
        return len(list((ada.folder / "many").glob("*/*.txt"))) == FILES or None

    began = time.monotonic()
    source.rename(server.repositories / "many")
    poll(arrived, SECONDS_MAX, "all of them")
    seconds = time.monotonic() - began
    ada.wait_in_step()
    compared = subprocess.run(["diff", "-r", server.repositories / "many", ada.folder / "many"], check=False)
    assert compared.returncode == 0
    assert {path.stat().st_uid for path in (ada.folder / "many").glob("*/*.txt")} == {ada.user[0]}
    print(f"\n{FILES} files: {seconds:.0f} s, {FILES / seconds:.0f} a second, server {peak >> 20} MiB{beside}")


def test_one_big_file_arrives_whole(server: SyncStack, ada: Laptop, tmp_path: Path) -> None:
    source, digest = tmp_path / "big.bin", hashlib.sha256()
    with source.open("wb") as file:
        for number in range(BIG_BYTES // len(CHUNK)):
            chunk = number.to_bytes(8, "big") + CHUNK[8:]
            file.write(chunk)
            digest.update(chunk)
    os.chown(source, *ada.user)
    beside = beside_rsync(source, tmp_path / "copy")
    target, began = server.repositories / "big.bin", time.monotonic()
    source.rename(ada.folder / "big.bin")
    poll(lambda: target.exists() or None, SECONDS_MAX, "the file")
    seconds = time.monotonic() - began
    with target.open("rb") as file:
        assert hashlib.file_digest(file, "sha256").digest() == digest.digest()
    print(f"\n2 GB: {seconds:.0f} s, {BIG_BYTES / seconds / 1e6:.0f} MB a second{beside}")
