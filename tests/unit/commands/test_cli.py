"""The `workhorse` command, where it can do nothing."""

from __future__ import annotations

import os
import resource
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.commands import cli
from entrypoint.files.places import Places
from tests.users import as_user


def test_who_asks_where_no_process_is_left_is_told_what_ends_them(monkeypatch: pytest.MonkeyPatch) -> None:
    def ask() -> str:
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return str(ended.value)

    with TemporaryDirectory() as name:
        places = Places(Path(name))
        places.state.mkdir(parents=True)
        for folder in (places.root, places.state):
            folder.chmod(0o755)
        monkeypatch.setattr(sys, "argv", ["workhorse", "sign-out"])
        monkeypatch.setattr(cli, "Places", lambda: places)
        monkeypatch.setattr(cli, "sign_out", lambda *_: os.fork())
        told = as_user(1000, 1000, ask)
    assert told.startswith("The container's processes are used up (Resource temporarily unavailable).\n")
    assert "docker compose restart workhorse" in told
