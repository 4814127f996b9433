"""A backup that an earlier Workhorse wrote stays readable, whatever becomes of the code that writes them."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

from tests.clients import Client
from tests.stack.test_backup import restore
from tests.stacks import Stack

# Of a server that lived for a minute and served nobody, made with `workhorse backup` in format 1. It is not to be
# made anew: a new format gets an archive of its own.
FORMAT_1 = Path(__file__).with_name("backup-format-1.tar.gz")
PASSWORD = "golden archive only"


def test_an_archive_of_format_1_brings_back_authority_password_and_work(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack()
    result = restore(stack, FORMAT_1)
    assert result.returncode == 0, result.stderr
    with tarfile.open(FORMAT_1) as archive:
        authority = archive.extractfile("state/tls/authority.pem")
        assert authority
        # Before the start, which may replace an authority that has come to its end.
        assert stack.in_state_volume("cat /state/tls/authority.pem") == authority.read().decode()
    stack.up()
    assert "made up now" not in stack.log()
    assert stack.shell("cat ~/work.txt") == "kept since format 1\n"
    with Client(stack.url, stack.authority()) as client:
        assert client.login("another password").status_code == 401
        assert client.login(PASSWORD).status_code == 302
