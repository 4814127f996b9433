"""The headers on every answer, from a real server of tornado's."""

from __future__ import annotations

import asyncio
import json
import socket

from tornado.httpclient import AsyncHTTPClient, HTTPResponse
from tornado.httpserver import HTTPServer
from tornado.web import Application, RequestHandler

from entrypoint.headers import HSTS_SECONDS, protect

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
    assert answer.headers["Strict-Transport-Security"] == f"max-age={HSTS_SECONDS}"


def test_no_browser_is_told_to_insist_on_another_name() -> None:
    for host in ("localhost:8888", "192.168.1.20", f"x.{TRUSTED}"):
        assert "Strict-Transport-Security" not in asyncio.run(ask(host)).headers
