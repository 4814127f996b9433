"""Whether guesses at the password slow down the work of who is logged in: a kernel's answers, with and without."""

from __future__ import annotations

import json
import ssl
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles

import docker
import requests
import websocket
from docker.models.containers import Container
from jupyter_server.auth import passwd

from bench.contestants import PASSWORD, PEER_IMAGE, PREFIX, removed, workhorse
from bench.login_page import Page, start
from bench.spread import RUNS, Comparison, Spread
from tests.stacks import REPOSITORY, free_port, poll

GUESSES_PER_SECOND = 200
TRIPS = 100
# A peer that answers once in seconds is measured for this long; 5 trips are enough to say that.
SECONDS_MAX, TRIPS_MIN = 8.0, 5
SECONDS_APART = 0.01
TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Person:
    """Somebody who is logged in, with a kernel."""

    url: str
    authority: Path | None
    kernel: str
    cookies: str

    def connection(self) -> websocket.WebSocket:
        """A websocket to the kernel, a new one for each run: between runs nobody would answer the server's pings."""
        address = f"{self.url.replace('http', 'ws', 1)}/api/kernels/{self.kernel}/channels"
        tls = {"ca_certs": str(self.authority), "cert_reqs": ssl.CERT_REQUIRED} if self.authority else {}
        return websocket.create_connection(address, sslopt=tls, cookie=self.cookies, timeout=TIMEOUT_SECONDS)

    def run(self) -> tuple[float, float]:
        """The 95th percentile of round trips, in seconds, without guesses and with."""
        with closing(self.connection()) as connection:
            # What the guesses before have left in a queue is worked off first.
            poll(lambda: trip(connection) < 0.1 or None, TIMEOUT_SECONDS)
            quiet = slow_trip(connection)
            with guesses(self.url, self.authority):
                return quiet, slow_trip(connection)


def trip(connection: websocket.WebSocket) -> float:
    """The seconds from asking a kernel to run nothing until it says that it has."""
    header = {"msg_id": uuid.uuid4().hex, "msg_type": "execute_request", "username": "", "version": "5.4"}
    message = {"header": {**header, "session": "bench", "date": ""}, "parent_header": {}, "metadata": {}}
    content = {"code": "", "silent": True, "store_history": False, "allow_stdin": False}
    began = time.perf_counter()
    connection.send(json.dumps({**message, "channel": "shell", "buffers": [], "content": content}))
    while True:
        answer = json.loads(connection.recv())
        is_ours = answer["parent_header"].get("msg_id") == header["msg_id"]
        if is_ours and answer["content"].get("execution_state") == "idle":
            return time.perf_counter() - began


def slow_trip(connection: websocket.WebSocket) -> float:
    """The 95th percentile of many."""
    seconds: list[float] = []
    began = time.perf_counter()
    while len(seconds) < TRIPS_MIN or (len(seconds) < TRIPS and time.perf_counter() - began < SECONDS_MAX):
        time.sleep(SECONDS_APART)
        seconds.append(trip(connection))
    return quantiles(seconds, n=20, method="inclusive")[-1]


@contextmanager
def guesses(url: str, authority: Path | None) -> Iterator[None]:
    """A process that guesses, once it has had its first answers."""
    command = [sys.executable, "-m", "bench.guesser", url, str(GUESSES_PER_SECOND)]
    command += [str(authority)] if authority else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=REPOSITORY, text=True) as process:
        assert process.stdout
        try:
            assert process.stdout.readline().strip() in ("401", "429")
            yield
        finally:
            process.terminate()
            process.stdout.read()


@contextmanager
def logged_in(url: str, authority: Path | None) -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(authority) if authority else True
        session.get(f"{url}/login", timeout=30)
        form = {"password": PASSWORD, "_xsrf": session.cookies["_xsrf"]}
        assert session.post(f"{url}/login", data=form, allow_redirects=False, timeout=30).status_code == 302
        yield session


def cookies_of(session: requests.Session) -> str:
    return "; ".join(f"{cookie.name}={cookie.value}" for cookie in session.cookies)


def login_cookies(url: str, authority: Path | None) -> str:
    """What a browser sends that is logged in."""
    with logged_in(url, authority) as session:
        return cookies_of(session)


@contextmanager
def person(url: str, authority: Path | None) -> Iterator[Person]:
    with logged_in(url, authority) as session:
        # By its own address, since Jupyter gives another token to who is logged in.
        session.get(f"{url}/api/status", timeout=30)
        headers = {"X-XSRFToken": session.cookies["_xsrf"]}
        kernel = session.post(f"{url}/api/kernels", json={}, headers=headers, timeout=30).json()["id"]
        yield Person(url, authority, kernel, cookies_of(session))


@contextmanager
def our_person() -> Iterator[Person]:
    with workhorse() as stack:
        stack.up()
        with person(stack.url, stack.authority()) as somebody:
            yield somebody


@contextmanager
def their_person(client: docker.DockerClient, *options: str) -> Iterator[Person]:
    """Logged in to the peer with a password, which jupyter-server checks as it comes."""
    port = free_port()
    words = [*options, "--ip=0.0.0.0", "--no-browser", "--allow-root", "--IdentityProvider.token="]
    words.append(f"--PasswordIdentityProvider.hashed_password={passwd(PASSWORD)}")
    container: Container = client.containers.create(
        PEER_IMAGE, ["/opt/peer/bin/jupyter", "lab", *words], name=f"{PREFIX}-guessed-{port}",
        ports={"8888/tcp": ("127.0.0.1", port)},
    )  # fmt: skip
    with removed(container):
        start([container], Page(port))
        with person(f"http://127.0.0.1:{port}", None) as somebody:
            yield somebody


def kernel_trips(client: docker.DockerClient) -> list[Comparison]:
    """Kernel round trips with and without guesses, and how many times slower the guesses make them."""
    with ExitStack() as stack:
        ours, theirs = stack.enter_context(our_person()), stack.enter_context(their_person(client))
        runs = [(ours.run(), theirs.run()) for _ in range(RUNS)]
    our_quiet, our_loud, their_quiet, their_loud = (
        Spread(tuple(1000 * run[side][loud] for run in runs)) for side in (0, 1) for loud in (0, 1)
    )
    name = "kernel round trip, 95th percentile"
    quiet = Comparison(name, "ms", our_quiet, their_quiet, decimals=1)
    loud = Comparison(f"  with {GUESSES_PER_SECOND} guesses a second", "ms", our_loud, their_loud, decimals=1)
    our_factor, their_factor = (Spread(tuple(loud / quiet for quiet, loud in side)) for side in zip(*runs, strict=True))
    factor = Comparison("  how many times slower with them", "times", our_factor, their_factor, "ours <= 1.5", 1)
    return [quiet, loud, factor]
