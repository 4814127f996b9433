"""The private authority as devices meet it: trusted for the server's names alone, and handed out while it is shared."""

from __future__ import annotations

import functools
import http.server
import plistlib
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import pytest
import requests
from playwright.sync_api import Browser, Page, Playwright, ViewportSize, expect
from playwright.sync_api import Error as BrowserError

from entrypoint.certificates.authority import load_authority
from entrypoint.certificates.leaf import make_certificate
from entrypoint.settings.names import LOCAL_NAMES, ServerName
from tests.browser.conftest import import_authority, launch, new_page
from tests.browser.lab import screenshot
from tests.conftest import PASSWORD
from tests.stacks import REPOSITORY, Stack, new_stack, running

NAMES = ("lab.example.org", "printer.local", "192.168.77.7", "fd00::77")
# Within no constraint of the authority, whatever SERVER_NAMES holds.
OUTSIDE = "bank.example.com"
PHONE = ViewportSize(width=390, height=844)
SECONDS = 20


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("certificates")
    with running(new_stack(folder, JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES=",".join(NAMES))) as stack:
        yield stack


@pytest.fixture(scope="module")
def authority(stack: Stack) -> Path:
    return stack.authority()


@pytest.fixture(scope="module")
def device(playwright: Playwright, authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that trusts the authority, and for which every name and address leads to this machine."""
    home = tmp_path_factory.mktemp("home")
    import_authority(authority, home)
    with launch(playwright, home, "--host-resolver-rules=MAP * 127.0.0.1") as browser:
        yield browser


@contextmanager
def opened(browser: Browser) -> Iterator[Page]:
    """A page the size of a phone's screen."""
    page = new_page(browser, PHONE)
    yield page
    # With its context at once: a page alone doesn't close while Chromium shows its own page about an error.
    page.context.close()


class Impostor(http.server.ThreadingHTTPServer):
    """Whom browsers refuse."""

    def handle_error(self, *_: object) -> None:
        pass


@contextmanager
def serving(pem: Path) -> Iterator[int]:
    """Another server of TLS on this machine, with a certificate of its own."""
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=str(REPOSITORY / "image"))
    with Impostor(("127.0.0.1", 0), handler) as server:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        # The handshake is for each connection's own thread: a browser opens connections ahead, and then says nothing.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def impostor(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, int]]:
    """Servers whose leaf a thief of the authority's key has signed: for a permitted name, and for another beside it."""
    key = load_authority(stack.door_shell("cat /var/lib/workhorse/tls/authority.pem").encode())
    folder, names = tmp_path_factory.mktemp("impostor"), {"honest": (), "outside": (ServerName(OUTSIDE),)}
    for kind, added in names.items():
        (folder / kind).write_bytes(make_certificate(key, (*LOCAL_NAMES, *added), datetime.now(UTC)).pem)
    with serving(folder / "honest") as honest, serving(folder / "outside") as outside:
        yield {"honest": honest, "outside": outside}


@pytest.mark.parametrize("name", [*NAMES, *map(str, LOCAL_NAMES)])
def test_chromium_opens_every_name_without_a_warning(device: Browser, stack: Stack, name: str) -> None:
    with opened(device) as page:
        page.goto(f"https://{ServerName(name).in_url}:{stack.port}/login")
        assert page.evaluate("isSecureContext")
        expect(page.locator("input[type=password]")).to_be_visible()


def test_chromium_refuses_a_name_that_the_authority_may_not_vouch_for(
    device: Browser, impostor: dict[str, int]
) -> None:
    with opened(device) as page:
        answer = page.goto(f"https://localhost:{impostor['honest']}/")
        assert answer
        assert answer.ok
        # One name outside spoils the whole certificate, for the names inside too.
        for name in (OUTSIDE, "localhost"):
            with pytest.raises(BrowserError, match=r"ERR_CERT_(INVALID|AUTHORITY_INVALID|COMMON_NAME_INVALID)"):
                page.goto(f"https://{name}:{impostor['outside']}/")


def openssl(authority: Path, port: int, name: str) -> str:
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", "-CAfile", str(authority)]
    command += ["-verify_hostname", name, "-servername", name]
    return subprocess.run(command, input="", capture_output=True, text=True, check=False, timeout=SECONDS).stdout


def test_openssl_and_python_refuse_it_too(authority: Path, impostor: dict[str, int]) -> None:
    context = ssl.create_default_context(cafile=str(authority))
    assert "Verify return code: 0 (ok)" in openssl(authority, impostor["honest"], "localhost")
    urlopen(f"https://localhost:{impostor['honest']}/", context=context, timeout=SECONDS).close()
    assert "permitted subtree violation" in openssl(authority, impostor["outside"], OUTSIDE)
    with pytest.raises(URLError, match="permitted subtree violation"):
        urlopen(f"https://localhost:{impostor['outside']}/", context=context, timeout=SECONDS)


def test_python_accepts_every_name(stack: Stack, authority: Path) -> None:
    for name in ("localhost", "127.0.0.1"):
        assert requests.get(f"https://{name}:{stack.port}/login", verify=str(authority), timeout=SECONDS).ok
    # The names that no resolver knows, by the handshake alone: tests/stack/test_tls.py.


def trust_page(stack: Stack, authority: Path, path: str = "") -> requests.Response:
    return requests.get(f"{stack.url}/trust{path}", verify=str(authority), timeout=SECONDS, allow_redirects=False)


@pytest.fixture
def shared(stack: Stack) -> Iterator[str]:
    """What `workhorse share-ca` prints; closed again afterwards."""
    yield stack.workhorse("share-ca")
    stack.door_shell("rm -f /run/workhorse/server/share-ca")


def test_what_is_shared_can_be_closed_at_once(stack: Stack, authority: Path, shared: str) -> None:
    assert shared
    assert trust_page(stack, authority).status_code == 200
    stack.workhorse("share-ca", "--stop")
    assert trust_page(stack, authority).status_code == 404


FILES = ("", "/workhorse-ca.crt", "/workhorse-ca.mobileconfig")


@pytest.mark.parametrize("path", FILES)
def test_nothing_is_handed_out_until_it_is_shared(stack: Stack, authority: Path, path: str) -> None:
    assert trust_page(stack, authority, path).status_code == 404


def test_the_shared_files_are_the_authority(stack: Stack, authority: Path, shared: str) -> None:
    certificate = trust_page(stack, authority, "/workhorse-ca.crt")
    assert certificate.content == authority.read_bytes()
    assert certificate.headers["Content-Type"] == "application/x-x509-ca-cert"
    profile = trust_page(stack, authority, "/workhorse-ca.mobileconfig")
    assert profile.headers["Content-Type"] == "application/x-apple-aspen-config"
    (payload,) = plistlib.loads(profile.content)["PayloadContent"]
    assert payload["PayloadType"] == "com.apple.security.root"
    assert payload["PayloadContent"] == ssl.PEM_cert_to_DER_cert(authority.read_text())
    # No other file of the folder.
    assert trust_page(stack, authority, "/authority.pem").status_code == 403
    assert f"https://localhost:{stack.port}/trust" in shared


def test_the_terminal_gives_the_profile_for_apple_s_devices(stack: Stack, authority: Path) -> None:
    (payload,) = plistlib.loads(stack.workhorse("ca", "--apple").encode())["PayloadContent"]
    assert payload["PayloadContent"] == ssl.PEM_cert_to_DER_cert(authority.read_text())


@pytest.mark.parametrize("minutes", [-0.01, 11, float("nan"), float("inf")])
def test_sharing_ends_after_its_time(stack: Stack, authority: Path, shared: str, minutes: float) -> None:
    assert shared
    assert trust_page(stack, authority).status_code == 200
    # The clock that the file is read by is the machine's, for every process alike; beyond ten minutes it is damaged.
    end = time.clock_gettime(time.CLOCK_BOOTTIME) + 60 * minutes
    stack.door_shell(f"echo {end} >/run/workhorse/server/share-ca")
    for path in FILES:
        assert trust_page(stack, authority, path).status_code == 404


def test_the_page_shows_a_stranger_the_fingerprint_of_the_terminal(
    stranger: Browser, device: Browser, stack: Stack, shared: str
) -> None:
    fingerprint = shared.split("compare the SHA-256 fingerprint with this one:\n")[1].split()[0]
    with opened(stranger) as page, pytest.raises(BrowserError, match="ERR_CERT_AUTHORITY_INVALID"):
        # A person goes on past this once.
        page.goto(f"{stack.url}/trust")
    with opened(device) as page:
        page.goto(f"https://{NAMES[0]}:{stack.port}/trust")
        assert "".join(page.locator(".fingerprint").inner_text().split()) == fingerprint
        devices = page.locator("summary").all_inner_texts()
        # A star stands for what nobody here has tried.
        assert devices == ["iPhone and iPad *", "Android *", "macOS *", "Windows *", "Linux", "Firefox, everywhere *"]
        assert "not tried" in page.locator(".remark").inner_text()
        page.get_by_text("Android").click()
        with page.expect_download() as download:
            page.get_by_role("link", name="Download workhorse-ca.crt").and_(page.locator(":visible")).click()
        assert download.value.suggested_filename == "workhorse-ca.crt"
        assert Path(download.value.path()).read_text() == stack.workhorse("ca")
        # Nothing reaches beyond the screen's edge.
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        screenshot(page, "trust.png")
