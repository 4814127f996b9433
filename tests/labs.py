"""What stands in a lab's place on its socket and tells the door what a test wants, as a notebook could."""

from __future__ import annotations

import json
import socketserver
import threading
from http.server import BaseHTTPRequestHandler
from types import TracebackType
from typing import Self

from entrypoint.files.places import Places
from entrypoint.system.kernels_report import KernelsReport, as_json


class StandInLab:
    """Answers everything that it is asked with `answer`: a report, or any bytes."""

    def __init__(self, places: Places, answer: KernelsReport | bytes) -> None:
        self.places, self.answer, self.asked = places, answer, list[str]()

    def __enter__(self) -> Self:
        self.places.kernels_socket.parent.mkdir(parents=True, exist_ok=True)
        self.server = socketserver.ThreadingUnixStreamServer(str(self.places.kernels_socket), self._handler())
        threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.places.kernels_socket.unlink()

    def body(self) -> bytes:
        return self.answer if isinstance(self.answer, bytes) else json.dumps(as_json(self.answer)).encode()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        lab = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:  # as http.server asks for it
                lab.asked.append(self.path)
                body = lab.body()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """It says nothing."""

        return Handler
