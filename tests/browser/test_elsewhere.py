"""What a notebook's output brings from elsewhere: pictures, and windows that answer it."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.lab import Lab, write_notebook
from tests.stacks import Stack

PICTURE = b"<svg xmlns='http://www.w3.org/2000/svg' width='200' height='100'/>"
WINDOW = b"<script>opener.postMessage('an answer', '*')</script>"


class Elsewhere(ThreadingHTTPServer):
    """Another origin, over TLS, for to others no browser says where it comes from; it keeps what it was told."""

    def __init__(self, certificate: Path) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.referers: dict[str, str | None] = {}

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    """A map's tile, and a window."""

    server: Elsewhere

    def do_GET(self) -> None:
        self.server.referers[self.path] = self.headers.get("Referer")
        is_picture = self.path.endswith(".svg")
        self.send_response(200)
        self.send_header("Content-Type", "image/svg+xml" if is_picture else "text/html")
        self.end_headers()
        self.wfile.write(PICTURE if is_picture else WINDOW)

    def log_message(self, format: str, *_: object) -> None:
        pass


@pytest.fixture
def elsewhere(stack: Stack, tmp_path: Path) -> Iterator[Elsewhere]:
    certificate = tmp_path / "elsewhere.pem"
    # The browser trusts the stack's own.
    certificate.write_text(stack.door_shell("cat /var/lib/workhorse/tls/server.pem"))
    with Elsewhere(certificate) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_picture_from_elsewhere_tells_where_it_is_shown_and_no_path(lab: Lab, elsewhere: Elsewhere) -> None:
    picture = f"from IPython.display import HTML\nHTML('<img src={elsewhere.url}/tile.svg>')"
    lab.open_notebook(write_notebook(lab.stack.repositories / "tile.ipynb", picture))
    lab.run_all_cells()
    shown = lab.output.locator("img")
    expect(shown).to_be_visible()
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 200
    assert elsewhere.referers["/tile.svg"] == f"{lab.stack.url}/"


def test_a_window_that_an_output_opens_may_answer_it(lab: Lab, elsewhere: Elsewhere) -> None:
    # As logins at other services and some plots do.
    listen = "onmessage = event => document.getElementById('ask').textContent = event.data"
    button = f'<button id="ask" onclick="{listen}; window.open(\'{elsewhere.url}/window\')">ask</button>'
    code = f"from IPython.display import HTML\nHTML({button!r})"
    lab.open_notebook(write_notebook(lab.stack.repositories / "window.ipynb", code))
    lab.run_all_cells()
    lab.output.get_by_role("button", name="ask").click()
    expect(lab.output.get_by_text("an answer")).to_be_visible()
