"""The certificate that the running server presents, judged by real handshakes."""

from __future__ import annotations

import socket
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.stacks import Stack

NAMES = ["localhost", "127.0.0.1", "::1", "lab.example.org", "192.168.77.7"]


def handshake(stack: Stack, authority: Path | None, name: str) -> ssl.SSLSocket:
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    with socket.create_connection(("127.0.0.1", stack.port), timeout=10) as connection:
        return context.wrap_socket(connection, server_hostname=name)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_of_the_server_is_verified(stack: Stack, authority: Path, name: str) -> None:
    with handshake(stack, authority, name) as tls:
        assert tls.version() == "TLSv1.3"


@pytest.mark.parametrize("name", NAMES)
def test_openssl_verifies_every_name_too(stack: Stack, authority: Path, name: str) -> None:
    check = ["-verify_ip", name] if ":" in name or name[0].isdigit() else ["-verify_hostname", name]
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{stack.port}", "-CAfile", str(authority)]
    result = subprocess.run(
        [*command, *check, "-verify_return_error"], input="", capture_output=True, text=True, check=False, timeout=20
    )
    assert "Verify return code: 0 (ok)" in result.stdout


def test_another_name_is_refused(stack: Stack, authority: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(stack, authority, "other.example.org")


def test_nobody_trusts_it_without_the_authority(stack: Stack) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(stack, None, "localhost")


def test_an_added_name_is_served_and_a_local_one_needs_no_new_trust(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD="correct horse battery", SERVER_NAMES="lab.example.org")
    stack.up()
    trusted = stack.authority().read_text()
    stack.set(SERVER_NAMES="lab.example.org,printer.local,10.1.2.3")
    stack.up()
    stack.told("The old one: it doesn't name printer.local, 10.1.2.3.")
    assert stack.authority().read_text() == trusted
    for name in ("printer.local", "10.1.2.3", "lab.example.org"):
        handshake(stack, stack.folder / "workhorse-ca.pem", name).close()


def test_the_log_tells_where_to_go_and_whom_to_trust(stack: Stack, authority: Path) -> None:
    command = ["openssl", "x509", "-in", str(authority), "-noout", "-fingerprint", "-sha256"]
    fingerprint = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip().split("=")[1]
    for text in (stack.told("as you set it"), stack.workhorse("status")):
        assert "".join(line.strip() for line in text.splitlines() if line.count(":") > 14) == fingerprint
        assert f"https://localhost:{stack.port}" in text
        assert "./repositories" in text
        assert "as you set it" in text
