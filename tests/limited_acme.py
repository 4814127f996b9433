"""An ACME server that refuses every order, as Let's Encrypt does beyond a limit, and one that never says a word."""

from __future__ import annotations

import json
import socket
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PORT, SILENT_PORT = 14000, 14001
ORIGIN = f"https://limited:{PORT}"
# Boulder's own words (letsencrypt/boulder, ratelimits/limiter.go).
DETAIL = (
    "too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s, retry after "
    "2026-11-26 08:00:00 UTC: see https://letsencrypt.org/docs/rate-limits/#new-certificates-per-exact-set-of-identifiers"
)
REFUSAL = {"type": "urn:ietf:params:acme:error:rateLimited", "detail": DETAIL, "status": 429}
DIRECTORY = {name: f"{ORIGIN}/{name}" for name in ("newNonce", "newAccount", "newOrder", "revokeCert", "keyChange")}


class Handler(BaseHTTPRequestHandler):
    """The first steps of RFC 8555, section 7.1."""

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_GET(self) -> None:
        self._answer(200, json.dumps(DIRECTORY).encode())

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/newAccount":
            self._answer(201, b'{"status": "valid"}')
        else:
            self._answer(429, json.dumps(REFUSAL).encode(), "application/problem+json")

    def _answer(self, status: int, body: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Replay-Nonce", "oFvnlFP1wIhRlYS2jTaXbA")
        self.send_header("Location", f"{ORIGIN}/account/1")
        self.send_header("Retry-After", "93600")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def main(pair: str) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    server = ThreadingHTTPServer(("", PORT), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    # The system accepts for it.
    with socket.create_server(("", SILENT_PORT)):
        server.serve_forever()


if __name__ == "__main__":
    main(sys.argv[1])
