"""A network of the browser's own: Chromium drops what it is loading whenever one of its machine's comes or goes."""

from __future__ import annotations

import os
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from ipaddress import IPv4Network
from pathlib import Path

SYSCTL = "/proc/sys/net/ipv4/conf/{}/route_localnet"
# Of RFC 2544's addresses, which no network in use has, four for each; the other half is tests/stack/test_cluster.py's.
ADDRESSES = IPv4Network("198.19.0.0/16")


@contextmanager
def own_network(program: str, folder: Path) -> Iterator[None]:
    """Puts a program of the same name into a folder, which runs it in a network whose localhost is the machine's.

    None is put there where that takes root: then stacks that come and go take the browser's loads away.
    """
    if os.getuid() != 0:
        yield
        return
    name = f"wh-{secrets.token_hex(4)}"
    # By what no other process here has just now.
    first = 4 * os.getpid() % ADDRESSES.num_addresses
    machine, browser = str(ADDRESSES[first + 1]), str(ADDRESSES[first + 2])
    inside = ["ip", "netns", "exec", name]
    forwarded = ["PREROUTING", "--in-interface", name, "--protocol", "tcp", "--jump", "DNAT"]
    with ExitStack() as undo:
        _run("ip", "netns", "add", name)
        # The pair of interfaces goes with it.
        undo.callback(_run, "ip", "netns", "delete", name)
        _run("ip", "link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", name)
        _run("ip", "address", "add", f"{machine}/30", "dev", name)
        _run("ip", "link", "set", name, "up")
        Path(SYSCTL.format(name)).write_text("1")
        _nat("--insert", *forwarded, "--to-destination", "127.0.0.1")
        undo.callback(_nat, "--delete", *forwarded, "--to-destination", "127.0.0.1")
        _run(*inside, "ip", "address", "add", f"{browser}/30", "dev", "eth0")
        for interface in ("lo", "eth0"):
            _run(*inside, "ip", "link", "set", interface, "up")
        _run(*inside, "sh", "-c", f"echo 1 >{SYSCTL.format('eth0')}")
        local = ["--destination", "127.0.0.0/8", "--protocol", "tcp", "--jump", "DNAT", "--to-destination", machine]
        _nat("--append", "OUTPUT", *local, inside=inside)
        _nat("--append", "POSTROUTING", "--out-interface", "eth0", "--jump", "MASQUERADE", inside=inside)
        script = folder / Path(program).name
        script.write_text(f'#!/bin/sh\nexec nsenter --net=/run/netns/{name} {program} "$@"\n')
        script.chmod(0o700)
        yield


def _nat(*arguments: str, inside: list[str] | None = None) -> None:
    # It waits for whoever changes the rules just now, as Docker does for each stack.
    _run(*(inside or []), "iptables", "--wait", "--table", "nat", *arguments)


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
