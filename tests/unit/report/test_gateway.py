"""Docker's own address, read from the container's routes."""

from __future__ import annotations

import sys
from pathlib import Path

from entrypoint.report.gateway import read_gateway

ROUTES = """\
Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT
eth0\t00000000\t010012AC\t0003\t0\t0\t0\t00000000\t0\t0\t0
eth0\t000012AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0
"""


def test_docker_s_own_address_is_the_gateway(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    routes.write_text(ROUTES)
    assert read_gateway(routes) == ("172.18.0.1" if sys.byteorder == "little" else "1.0.18.172")


def test_without_a_way_out_there_is_none(tmp_path: Path) -> None:
    routes = tmp_path / "route"
    assert read_gateway(routes) is None
    routes.write_text("".join(line for line in ROUTES.splitlines(keepends=True) if "\t010012AC" not in line))
    assert read_gateway(routes) is None
