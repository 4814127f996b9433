"""What may happen to a laptop in step: strangers at its port, killed processes, full disks, two saves at once."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import socket
import ssl
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Any, cast

import docker
import pytest

from entrypoint.laptops.device_key import make_device_key
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.laptops import (
    STEP_SECONDS,
    SYNC,
    Laptop,
    SyncStack,
    arrives,
    content_of,
    laptop_in,
    new_sync_stack,
    pair,
    sync_port,
)
from tests.stack.test_backup import back_up, restore
from tests.stacks import DOOR, poll, prepared

STRANGERS = 300
# Syncthing's own: a hello's first bytes (docs.syncthing.net/specs/bep-v1, "Pre-authentication messages").
HELLO = 0x2EA7D90B
NASTY = "\x1b[2Jada' <script>"
MEGABYTE = 1 << 20
LINE_BYTES_MAX = 400
KILLS = 20


def edit_both_ways(server: SyncStack, laptop: Laptop, text: str) -> None:
    """Two seconds a way on a quiet machine, which is printed."""
    laptop.write("edited.txt", f"{text} on the laptop")
    there = arrives(server.repositories / "edited.txt", f"{text} on the laptop")
    server.write("edited.txt", f"{text} on the server")
    back = arrives(laptop.folder / "edited.txt", f"{text} on the server")
    print(f"edited {text}: {there:.1f} s there, {back:.1f} s back")


def knock(port: int, folder: Path, name: str) -> None:
    """Comes with a certificate of its own and a name of its choice, as every Syncthing does."""
    pem = folder / f"{secrets.token_hex(4)}.pem"
    pem.write_bytes(make_device_key(datetime.now(UTC)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.set_alpn_protocols(["bep/1.0"])
    context.load_cert_chain(pem)
    fields = b"".join(
        bytes([number << 3 | 2, len(text)]) + text
        for number, text in ((1, name.encode()), (2, b"syncthing"), (3, b"v1.29.5"))
    )
    with (
        socket.create_connection(("127.0.0.1", port), timeout=20) as plain,
        context.wrap_socket(plain) as connection,
    ):
        connection.sendall(struct.pack(">IH", HELLO, len(fields)) + fields)
        while connection.recv(4096):
            pass


def test_strangers_become_no_device_and_hold_up_nobody(server: SyncStack, ada: Laptop, tmp_path: Path) -> None:
    before, device = len(server.sync_log()), server.workhorse("sync")
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda number: knock(int(sync_port(server)), tmp_path, f"{NASTY}{number}"), range(STRANGERS)))
    poll(lambda: server.sync_log()[before:].count("unknown device") >= STRANGERS or None, wanted="a line for each")
    said = server.sync_log()[before:]
    assert len(said) < STRANGERS * LINE_BYTES_MAX
    assert "\x1b" not in said
    ada.wait_in_step()
    assert server.workhorse("sync") == device
    assert "<script>" not in server.workhorse("status")
    edit_both_ways(server, ada, "after strangers")
    bounds = server.container_of(SYNC).attrs["HostConfig"]["LogConfig"]["Config"]
    assert bounds == {"max-size": "10m", "max-file": "3"}
    # A pairing that comes among them is the one that was typed.
    with laptop_in(tmp_path / "bob") as bob:
        pair(server, bob, "bob")
        told = server.workhorse("sync", "forget", bob.device)
    assert "bob is forgotten" in told


def address_of(server: SyncStack) -> tuple[str, IPv4Address, IPv4Network]:
    """The bridge of the service's own network, its address there, and the network itself."""
    client = docker.from_env()
    try:
        network = client.networks.get(f"{server.project}_{SYNC}")
    finally:
        client.close()
    subnet = IPv4Network(network.attrs["IPAM"]["Config"][0]["Subnet"])
    addresses = server.container_of(SYNC).attrs["NetworkSettings"]["Networks"].values()
    return f"br-{str(network.id)[:12]}", IPv4Address(next(iter(addresses))["IPAddress"]), subnet


@contextmanager
def leaving(server: SyncStack) -> Iterator[set[str]]:
    """Whom the service sends packets to outside of its own network, meanwhile."""
    bridge, _, subnet = address_of(server)
    found: set[str] = set()
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0800)) as tap:
        tap.bind((bridge, 0x0800))
        tap.settimeout(0.2)
        is_over = threading.Event()

        def listen() -> None:
            while not is_over.is_set():
                try:
                    packet = tap.recv(65535)
                except TimeoutError:
                    continue
                source, target = IPv4Address(packet[12:16]), IPv4Address(packet[16:20])
                if source in subnet and target not in subnet:
                    found.add(str(target))

        listener = threading.Thread(target=listen)
        listener.start()
        try:
            yield found
        finally:
            is_over.set()
            listener.join()


@pytest.mark.skipif(os.getuid() != 0, reason="only root may listen to a bridge")
def test_a_start_calls_nobody_until_it_is_told_to(server: SyncStack, ada: Laptop) -> None:
    with leaving(server) as found:
        server.compose("restart", SYNC)
        server.up()
        ada.wait_in_step()
        edit_both_ways(server, ada, "quiet")
        # Whatever a start does by itself, it has done by its second scan of a minute; this is most of it.
        wait_for(15)
    assert found == set()
    server.set(SYNC_DISCOVERY="on")
    with leaving(server) as found:
        server.up()
        poll(lambda: found or None, wanted="a call of what looks for others")
    server.set(SYNC_DISCOVERY="off")
    server.up()
    ada.wait_in_step()


def wait_for(seconds: float) -> None:
    """For what must not come: there is nothing to poll for."""
    threading.Event().wait(seconds)


def wait_until_it_comes(path: Path, sent: Path) -> None:
    """Until a file is on its way; a test that was held up itself finds that it has come, with its time."""
    half = path.with_name(f".syncthing.{path.name}.tmp")

    def comes() -> bool | None:
        with suppress(FileNotFoundError):
            return half.exists() or path.stat().st_mtime_ns == sent.stat().st_mtime_ns or None
        return None

    poll(comes, STEP_SECONDS, "the transfer")


def test_whoever_is_killed_in_mid_transfer_leaves_nothing_half_written(server: SyncStack, ada: Laptop) -> None:
    path, versions = server.repositories / "big.bin", [os.urandom(48 * MEGABYTE)]
    ada.write("big.bin", versions[0])
    arrives(path, versions[0])
    whole = {hashlib.sha256(versions[0]).digest()}
    for number in range(KILLS):
        content = os.urandom(48 * MEGABYTE)
        whole.add(hashlib.sha256(content).digest())
        ada.write("big.bin", content)
        wait_until_it_comes(path, ada.folder / "big.bin")
        if number % 2:
            ada.stop("KILL")
            ada.start()
        else:
            container = server.container_of(SYNC)
            container.kill()
            container.start()
        assert hashlib.sha256(poll(lambda: content_of(path), wanted=str(path))).digest() in whole
        arrives(path, content)
    server.up()
    ada.wait_in_step()
    assert not list(server.repositories.glob(".syncthing.*"))
    assert not list(server.repositories.glob("*.sync-conflict-*"))


def test_two_saves_at_the_same_second_lose_neither(server: SyncStack, ada: Laptop) -> None:
    with Client(server.url, server.authority()) as client:
        client.login(PASSWORD)
        save_in_jupyter(client, "first")
        poll(lambda: (ada.folder / "same.ipynb").exists() or None, STEP_SECONDS, "the notebook")
        for number in range(10):
            theirs, ours = f"laptop {number}", f"page {number}"
            with ThreadPoolExecutor(1) as pool:
                save = pool.submit(save_in_jupyter, client, ours)
                ada.write("same.ipynb", json.dumps(notebook_of(theirs)))
                save.result()
            # Before the next: what a person overwrites on the same side within a second, no program has seen.
            poll(partial(are_both_kept, server, ada, (theirs, ours)), STEP_SECONDS, "both")
            ada.wait_in_step()


def are_both_kept(server: SyncStack, laptop: Laptop, texts: tuple[str, str]) -> bool | None:
    """Whether each is in the notebook, or in a copy of it, on both sides or in a version that was kept."""
    folders = (server.repositories, laptop.folder)
    found = [content_of(path) or b"" for folder in folders for path in folder.rglob("same*.ipynb")]
    here, there = (content_of(folder / "same.ipynb") for folder in folders)
    is_same = here is not None and here == there
    return (is_same and all(any(f'"{text}"'.encode() in each for each in found) for text in texts)) or None


def save_in_jupyter(client: Client, source: str) -> None:
    client.api("PUT", "contents/same.ipynb", type="notebook", format="json", content=notebook_of(source))


def notebook_of(source: str) -> dict[str, Any]:
    cell = {"cell_type": "markdown", "id": "one", "metadata": {}, "source": source}
    return {"metadata": {}, "nbformat": 4, "nbformat_minor": 5, "cells": [cell]}


@contextmanager
def small_disk(folder: Path, megabytes: int, owner: tuple[int, int]) -> Iterator[None]:
    options = f"size={megabytes}m,uid={owner[0]},gid={owner[1]},mode=755"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small disk")
def test_a_disk_that_is_full_takes_nothing_half_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    stack = new_sync_stack(tmp_path / "stack", JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES="127.0.0.1")
    content = os.urandom(60 * MEGABYTE)
    with small_disk(stack.repositories, 400, (1500, 1600)), prepared(stack), laptop_in(tmp_path / "ada") as ada:
        stack.up()
        pair(stack, ada)
        filler = stack.write("filler.bin", bytes(150 * MEGABYTE))
        ada.write("measured.bin", content)
        told = poll(lambda: said if "can't be taken over" in (said := stack.workhorse("sync")) else None, 120)
        assert re.search("measured.bin: .*(insufficient space|no space left)", told), told
        assert not (stack.repositories / "measured.bin").exists()
        filler.unlink()
        # Syncthing tries again by itself.
        arrives(stack.repositories / "measured.bin", content, 180)
        poll(lambda: "both have everything" in stack.workhorse("sync") or None, wanted="all is well")


@pytest.mark.skipif(os.getuid() != 0, reason="only root may mount a small disk")
def test_a_laptop_whose_disk_is_full_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "stack").mkdir()
    stack = new_sync_stack(tmp_path / "stack", JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES="127.0.0.1")
    with prepared(stack), laptop_in(tmp_path / "ada") as ada:
        ada.folder.mkdir()
        with small_disk(ada.folder, 50, ada.user):
            # It sees what was mounted after its start.
            subprocess.run(["docker", "restart", "-t", "1", ada.name], check=True, capture_output=True)
            ada.start()
            stack.up()
            pair(stack, ada)
            stack.write("measured.bin", os.urandom(60 * MEGABYTE))
            told = poll(lambda: said if "to go there" in (said := stack.workhorse("sync")) else None)
            assert "1 file, 62.9 MB to go there" in told
            assert not (ada.folder / "measured.bin").exists()
            (error,) = poll(lambda: ada.ask("folder/errors", params={"folder": ada.folder_id})["errors"])
            assert "insufficient space" in error["error"] or "no space left" in error["error"]


def in_step(server: SyncStack) -> str:
    """What `workhorse sync` says as soon as nothing is on its way."""

    def said() -> str | None:
        text = server.workhorse("sync", check=False)
        return text if "both have everything" in text else None

    return poll(said, STEP_SECONDS, "a laptop that has everything")


def test_a_backup_brings_the_key_and_the_pairing_and_no_index(server: SyncStack, ada: Laptop, tmp_path: Path) -> None:
    device = server.workhorse("sync").partition("Device ID")[2].split()[0]
    archive, _ = back_up(server)
    members = subprocess.run(["tar", "tzf", str(archive)], capture_output=True, text=True, check=True).stdout.split()
    assert {"state/sync.pem", "state/laptops.json"} <= set(members)
    assert not [each for each in members if "index" in each]
    server.compose("down", "-v")
    assert restore(server, archive, "--replace").returncode == 0
    server.up()
    told = server.workhorse("sync")
    assert told.partition("Device ID")[2].split()[0] == device
    # The folder's index is made anew, and nothing is taken for another version.
    ada.wait_in_step()
    assert "connected, both have everything" in in_step(server)
    edit_both_ways(server, ada, "restored")
    assert not [each for each in server.repositories.rglob("*.sync-conflict-*") if "same" not in each.name]


def test_a_restore_beside_a_running_syncthing_counts_at_once(server: SyncStack, ada: Laptop) -> None:
    before = in_step(server)
    archive, _ = back_up(server)
    server.workhorse("sync", "forget")
    server.door_shell("rm /var/lib/workhorse/sync.pem")
    server.compose("restart", DOOR)
    # Not `up --wait`, which ends at the moment in which the other service begins anew.
    poll(lambda: "none paired" in server.workhorse("sync", check=False) or None, wanted="a new Syncthing")
    another = server.workhorse("sync")
    assert another.partition("Device ID")[2].split()[0] != before.partition("Device ID")[2].split()[0]
    assert restore(server, archive, "--replace").returncode == 0
    server.compose("up", "-d", "--no-build")
    # A new index finds its way through the files first.
    poll(lambda: in_step(server) == before or None, STEP_SECONDS, "all as it was")
    edit_both_ways(server, ada, "restored again")


def test_it_idles(server: SyncStack, ada: Laptop) -> None:
    """In bounds that are wide of what was measured: 14 MiB with a few files."""
    ada.wait_in_step()
    container = server.container_of(SYNC)

    def measured() -> dict[str, Any]:
        return cast(dict[str, Any], container.stats(stream=False))

    before, began = measured(), time.monotonic()
    wait_for(20)
    after = measured()
    used_seconds = (each["cpu_stats"]["cpu_usage"]["total_usage"] / 1e9 for each in (after, before))
    share = (next(used_seconds) - next(used_seconds)) / (time.monotonic() - began)
    memory = after["memory_stats"]
    used = memory["usage"] - memory["stats"].get("inactive_file", 0)
    print(f"idle: {used / MEGABYTE:.1f} MiB, {share * 100:.2f} % of one processor")
    assert used < 200 * MEGABYTE
    assert share < 0.1
