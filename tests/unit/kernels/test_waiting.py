"""A server that nobody has asked for anything yet, and the socket that it will find."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from entrypoint.kernels import healthcheck
from entrypoint.kernels.waiting import listening
from tests.homes import listen


def test_a_socket_takes_the_place_of_the_last_one_and_is_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # An address is shorter than a temporary folder may be.
    monkeypatch.chdir(tmp_path)
    path = Path("socket")
    listen(path).close()
    with listening(str(path)) as listener, socket.socket(socket.AF_UNIX) as somebody:
        assert stat.S_IMODE(path.stat().st_mode) == 0o666
        assert listener.get_inheritable()
        # Nobody has accepted yet, and what is said is kept.
        somebody.connect(str(path))
        somebody.sendall(b"asked")
        connection, _ = listener.accept()
        with connection:
            assert connection.recv(16) == b"asked"


def test_what_has_ended_meanwhile_is_not_waiting() -> None:
    assert healthcheck.command_of("0") == []
