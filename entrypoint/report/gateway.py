"""Docker's own address, which stands for whoever Docker hides."""

from __future__ import annotations

import sys
from ipaddress import IPv4Address
from pathlib import Path


def read_gateway(routes: Path) -> str | None:
    """The address that connections come from where Docker passes them on; None where it can't be told.

    Args:
        routes: /proc/net/route (proc_pid_net(5)), with addresses in the byte order of the machine.
    """
    try:
        lines = routes.read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        match line.split():
            case [_, "00000000", address, *_] if address != "00000000":
                return str(IPv4Address(int(address, 16).to_bytes(4, sys.byteorder)))
    return None
