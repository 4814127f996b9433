"""The TLS that the server speaks, as scanners, old and new clients and a browser without https:// meet it."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
from pathlib import Path
from typing import Any

import pytest

from entrypoint.system.trust import VARIABLES
from tests.clients import Client
from tests.handshakes import Door, trusting
from tests.stacks import REPOSITORY, Stack

SSLYZE = REPOSITORY / ".venv" / "sslyze" / "bin" / "sslyze"
SUITES_12 = {
    "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
}
SUITES_13 = {"TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256"}
CONNECTIONS = 100
REQUEST = b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture(scope="module")
def door(stack: Stack, authority: Path) -> Door:
    return Door(("127.0.0.1", stack.port), trusting(authority))


@pytest.fixture(scope="module")
def scan(stack: Stack, authority: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What sslyze finds, by kind of scan."""
    assert SSLYZE.exists(), "make .venv/sslyze/ready installs it"
    report = tmp_path_factory.mktemp("sslyze") / "report.json"
    # Where a report is asked for, sslyze judges nothing.
    sslyze(stack, authority, f"--json_out={report}", "--quiet")
    results: dict[str, Any] = json.loads(report.read_text())["server_scan_results"][0]["scan_result"]
    return {name: scanned["result"] for name, scanned in results.items()}


def sslyze(stack: Stack, authority: Path, *options: str) -> subprocess.CompletedProcess[str]:
    trust = f"--certinfo_ca_file={authority}"
    command = [str(SSLYZE), trust, "--sni=localhost", *options, f"localhost:{stack.port}"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=180)


def accepted(scan: dict[str, Any], version: str) -> set[str]:
    suites = scan[f"tls_{version}_cipher_suites"]["accepted_cipher_suites"]
    return {suite["cipher_suite"]["name"] for suite in suites}


def test_it_complies_with_mozillas_intermediate_profile(stack: Stack, authority: Path) -> None:
    result = sslyze(stack, authority, "--mozilla_config=intermediate")
    assert result.returncode == 0, result.stdout
    assert f"localhost:{stack.port}: OK - Compliant." in result.stdout


def test_sslyze_verifies_it_with_the_private_authority_alone(scan: dict[str, Any]) -> None:
    (deployment,) = scan["certificate_info"]["certificate_deployments"]
    stores = {
        each["trust_store"]["name"]: each["was_validation_successful"] for each in deployment["path_validation_results"]
    }
    assert stores.pop("Supplied CA file") is True
    assert set(stores.values()) == {False}


def test_only_the_listed_suites_and_groups_are_accepted(scan: dict[str, Any]) -> None:
    assert accepted(scan, "1_2") == SUITES_12
    assert accepted(scan, "1_3") == SUITES_13
    groups = {curve["name"] for curve in scan["elliptic_curves"]["supported_curves"]}
    # What else is accepted, this scanner is too old to ask for.
    assert groups == {"X25519", "secp256r1", "secp384r1"}


@pytest.mark.parametrize("version", ["ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1"])
def test_old_protocols_are_refused(scan: dict[str, Any], version: str) -> None:
    assert scan[f"{version}_cipher_suites"]["accepted_cipher_suites"] == []


def test_the_groups_are_ordered_with_the_post_quantum_hybrid_first(stack: Stack) -> None:
    # The image's OpenSSL knows it; the host's may be older.
    client = "openssl s_client -connect 127.0.0.1:8888 -brief </dev/null 2>&1"
    assert "X25519MLKEM768" in stack.door_shell(client)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed(door: Door, authority: Path, version: ssl.TLSVersion) -> None:
    context = trusting(authority)
    context.minimum_version = context.maximum_version = version
    session, resumed = None, 0
    for _ in range(CONNECTIONS):
        connection = socket.create_connection(door.address, timeout=5)
        with context.wrap_socket(connection, server_hostname="localhost", session=session) as tls:
            tls.sendall(REQUEST)
            assert tls.recv(4096).startswith(b"HTTP/1.1 200 ")
            session, resumed = tls.session, resumed + bool(tls.session_reused)
    # All but the first.
    assert resumed == CONNECTIONS - 1


def test_no_kernel_inherits_a_setting_of_the_servers_tls(client: Client) -> None:
    code = "import json, os; print(json.dumps([n for n in os.environ if 'SSL' in n or 'TLS' in n or 'CERT' in n]))"
    assert set(json.loads(client.run(code))) <= set(VARIABLES)


def test_no_browser_is_told_to_insist_on_a_private_certificate(client: Client) -> None:
    for path in ("/login", "/lab", "/api", "/trust"):
        headers = client.session.get(client.url + path, timeout=10).headers
        assert "X-Content-Type-Options" in headers
        assert "Strict-Transport-Security" not in headers


def plainly(stack: Stack, request: bytes) -> tuple[bytes, list[bytes]]:
    """The status line and the headers of the answer to a request without TLS."""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as connection:
        connection.sendall(request)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    head, end, body = answer.partition(b"\r\n\r\n")
    assert (end, body) == (b"\r\n\r\n", b"")
    status, *headers = head.split(b"\r\n")
    return status, headers


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
@pytest.mark.parametrize("path", ["/", "/lab", "/lab/tree/a%20b.ipynb?reset&token=1#x"])
@pytest.mark.parametrize("host", ["localhost:8888", "lab.example.org", "192.168.77.7:8888", "[::1]:8888", "[fd00::1]"])
def test_http_is_redirected_to_https(stack: Stack, method: str, path: str, host: str) -> None:
    request = f"{method} {path} HTTP/1.1\r\nUser-Agent: x\r\nHost: {host}\r\nAccept: */*\r\n\r\n"
    status, headers = plainly(stack, request.encode())
    assert status == b"HTTP/1.1 307 Temporary Redirect"
    assert f"Location: https://{host}{path}".encode() in headers


def test_no_path_leads_to_another_host(stack: Stack) -> None:
    for path in ("//elsewhere.example.org/", "\\\\elsewhere.example.org", "@elsewhere.example.org", ".example.org"):
        _, (location, *_) = plainly(stack, f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        assert location.startswith(b"Location: https://localhost/")


@pytest.mark.parametrize(
    "header",
    [
        "Host: ",
        "Host: a b",
        "Host: user@elsewhere.example.org",
        "Host: elsewhere.example.org/lab",
        "Host: elsewhere.example.org\\@localhost",
        "Host: localhost\rSet-Cookie: a=b",
        'Host: "><script>alert(1)</script>',
        "Host: localhost:99999999",
        "Host: [::1",
        "Host: \xe9.example.org",
        "X-Host: localhost",
    ],
)
def test_a_hostile_host_leads_nowhere(stack: Stack, header: str) -> None:
    status, headers = plainly(stack, f"GET /lab HTTP/1.1\r\n{header}\r\n\r\n".encode("latin-1"))
    assert status == b"HTTP/1.1 400 Bad Request"
    assert not any(line.lower().startswith((b"location", b"set-cookie")) for line in headers)


@pytest.mark.parametrize("bytes_long", [3_000, 60_000, 3_000_000])
def test_a_very_long_request_without_tls_ends_and_harms_nobody(stack: Stack, door: Door, bytes_long: int) -> None:
    answer = b""
    with socket.create_connection(("127.0.0.1", stack.port), timeout=5) as connection:
        try:
            connection.sendall(b"GET /" + b"x" * bytes_long + b" HTTP/1.1\r\nHost: localhost\r\n\r\n")
            answer = b"".join(iter(lambda: connection.recv(4096), b""))
        except ConnectionError:
            pass  # what the server has not read, it resets
    assert answer == b"" or answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 307 "))
    door.open().close()


def test_none_of_it_leaves_a_traceback(stack: Stack) -> None:
    assert "Traceback" not in stack.log()
