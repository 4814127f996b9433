"""A browser's view of the server without a browser: verified TLS, a login by the form, a kernel's websocket."""

from __future__ import annotations

import json
import select
import ssl
import time
import uuid
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, TypeVar

import requests
import websocket

T = TypeVar("T")
# Longer than the door makes anybody wait for who comes back behind it.
SECONDS = 60


class Client:
    """One logged-in device."""

    def __init__(self, url: str, authority: Path) -> None:
        self.url = url
        self.authority = authority
        self.session = requests.Session()
        self.session.verify = str(authority)
        self.session.trust_env = False
        self.kernels: list[Kernel] = []

    def close(self) -> None:
        for kernel in self.kernels:
            kernel.socket.close()
        self.session.close()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def login(self, password: str, code: str | None = None) -> requests.Response:
        """Sends the login form; 302 leads on to the notebooks, 401 shows the form again."""
        self.session.get(f"{self.url}/login", timeout=SECONDS)
        data = {"password": password, "_xsrf": self.session.cookies["_xsrf"]}
        data |= {} if code is None else {"code": code}
        return self.session.post(f"{self.url}/login", data=data, allow_redirects=False, timeout=SECONDS)

    def is_logged_in(self) -> bool:
        return self.session.get(f"{self.url}/api/status", timeout=SECONDS).status_code == 200

    def api(self, method: str, path: str, /, **body: Any) -> Any:
        headers = {"X-XSRFToken": self.session.cookies.get("_xsrf", "")}
        response = self.session.request(
            method, f"{self.url}/api/{path}", json=body or None, headers=headers, timeout=SECONDS
        )
        response.raise_for_status()
        return response.json() if response.content else None

    def kernel_names(self) -> dict[str, str]:
        """Every kernel on offer: its name and what the launcher shows."""
        specs = self.api("GET", "kernelspecs")["kernelspecs"]
        return {name: spec["spec"]["display_name"] for name, spec in specs.items()}

    def news(self) -> list[str]:
        """What JupyterLab is given to show in the page."""
        answer = self.session.get(f"{self.url}/lab/api/news", timeout=SECONDS)
        return [each["message"] for each in answer.json()["news"]]

    def start_kernel(self, name: str = "python3", path: str = "") -> Kernel:
        return Kernel(self, self.api("POST", "kernels", name=name, path=path)["id"])

    def run(self, code: str, name: str = "python3") -> str:
        """What code prints in a kernel of its own."""
        kernel = self.start_kernel(name)
        try:
            return kernel.run(code)
        finally:
            kernel.shut_down()

    def type_in(self, terminal: str, text: str) -> None:
        """Types into a terminal that is open already, as its page does."""
        address = f"{self.url.replace('http', 'ws', 1)}/terminals/websocket/{terminal}"
        with closing(websocket_of(self, address)) as terminal_socket:
            terminal_socket.send(json.dumps(["stdin", text]))


def unless_away(question: Callable[[], T | None]) -> Callable[[], T | None]:
    """A question to poll, whose answer waits for a server that is being made anew."""

    def asked() -> T | None:
        with suppress(requests.RequestException):
            return question()
        return None

    return asked


def websocket_of(client: Client, address: str) -> websocket.WebSocket:
    """A device's websocket, with its login."""
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in client.session.cookies)
    trust = {"ca_certs": str(client.authority), "cert_reqs": ssl.CERT_REQUIRED}
    return websocket.create_connection(address, sslopt=trust, cookie=cookies, timeout=SECONDS)


class Kernel:
    """A running kernel and the websocket to it."""

    def __init__(self, client: Client, kernel_id: str) -> None:
        self.client, self.id = client, kernel_id
        address = f"{client.url.replace('http', 'ws', 1)}/api/kernels/{kernel_id}/channels"
        self.socket = websocket_of(client, address)
        # Which closes what a test leaves open.
        client.kernels.append(self)

    def send(self, code: str, cell: str = "") -> str:
        """Asks the kernel to run code, as a notebook does for one of its cells; returns the id of the request."""
        header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "version": "5.4"}
        header |= {"session": self.id, "date": ""}
        message = {"header": header, "parent_header": {}, "channel": "shell", "buffers": []}
        message["metadata"] = {"cellId": cell} if cell else {}
        message["content"] = {"code": code, "silent": False, "store_history": True, "allow_stdin": False}
        self.socket.send(json.dumps(message))
        return str(header["msg_id"])

    def receive(self, seconds: float) -> dict[str, Any]:
        """The next message; a ping meanwhile doesn't put the end of the wait off."""
        deadline = time.monotonic() + seconds
        try:
            while (left := deadline - time.monotonic()) > 0:
                self.socket.settimeout(left)
                opcode, frame = self.socket.recv_data_frame(control_frame=True)
                if opcode == websocket.ABNF.OPCODE_CLOSE:
                    raise websocket.WebSocketConnectionClosedException("the server has closed the websocket")
                if opcode == websocket.ABNF.OPCODE_TEXT:
                    message: dict[str, Any] = json.loads(frame.data)
                    return message
        finally:
            self.socket.settimeout(SECONDS)
        raise websocket.WebSocketTimeoutException(f"no message within {seconds} s")

    def answer_pings(self) -> None:
        """Reads away what has come. A browser does so at any time; who doesn't for 90 seconds is taken for gone."""
        tls = self.socket.sock
        assert isinstance(tls, ssl.SSLSocket)
        while tls.pending() or select.select([tls], [], [], 0)[0]:
            opcode, _ = self.socket.recv_data_frame(control_frame=True)
            assert opcode != websocket.ABNF.OPCODE_CLOSE, "the server has closed the websocket"

    def run(self, code: str, seconds: float = 120) -> str:
        """The text that code prints and, if it fails, its traceback."""
        request, texts, deadline = self.send(code), list[str](), time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            message = self.receive(left)
            if message["parent_header"].get("msg_id") != request:
                continue
            content = message["content"]
            texts += [content["text"]] if message["msg_type"] == "stream" else []
            texts += content["traceback"] if message["msg_type"] == "error" else []
            if message["msg_type"] == "status" and content["execution_state"] == "idle":
                return "".join(texts)
        raise TimeoutError(f"the kernel ran for more than {seconds} s")

    def shut_down(self) -> None:
        self.socket.close()
        self.client.api("DELETE", f"kernels/{self.id}")
