"""The headers on every answer, from a real server of tornado's."""

from __future__ import annotations

import asyncio
import json
import socket

from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from entrypoint.proxy.headers import POLICY, protect, with_policy

TRUSTED = "lab.example.org"


class Hello(RequestHandler):
    def get(self) -> None:
        self.finish(json.dumps("hello"))


async def ask(host: str) -> HTTPResponse:
    application = Application([("/", Hello)])
    protect(application, lambda name: name == TRUSTED)
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    server, client = HTTPServer(application), AsyncHTTPClient(force_instance=True)
    server.add_sockets([listener])
    try:
        return await client.fetch(f"http://127.0.0.1:{listener.getsockname()[1]}/", headers={"Host": host})
    finally:
        client.close()
        server.stop()
        await server.close_all_connections()


def test_a_browser_is_told_to_insist_where_every_browser_trusts_the_certificate() -> None:
    answer = asyncio.run(ask(f"{TRUSTED}:8888"))
    assert answer.headers["Strict-Transport-Security"] == "max-age=15552000"  # 180 days


def test_no_browser_is_told_to_insist_on_another_name() -> None:
    for host in ("localhost:8888", "192.168.1.20", f"x.{TRUSTED}"):
        assert "Strict-Transport-Security" not in asyncio.run(ask(host)).headers


def test_every_answer_holds_the_other_headers_and_no_maker_s_name() -> None:
    headers = asyncio.run(ask("localhost")).headers
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin-allow-popups"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert headers["Content-Security-Policy"] == POLICY
    assert "Server" not in headers


def test_a_handler_s_own_policy_stands_beside_ours_and_a_whole_one_alone() -> None:
    assert with_policy("frame-ancestors 'none'") == f"frame-ancestors 'none', {POLICY}"
    assert with_policy("default-src 'none'; base-uri 'none'") == "default-src 'none'; base-uri 'none'"
