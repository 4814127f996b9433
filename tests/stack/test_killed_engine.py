"""A Docker engine that is killed: when both are started again, nothing is lost."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from tests.clients import Client
from tests.engine import Engine, reason_for_none, second_engine
from tests.stack.test_faults import kept_state, letters, notebook, started_at, wait_for
from tests.stacks import SERVICES, Stack, poll

PATH = "edited/big.ipynb"


@pytest.fixture
def engine(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    """An engine beside the machine's, which serves all of the test's stacks."""
    if reason := reason_for_none():
        pytest.skip(reason)
    with second_engine(tmp_path_factory.mktemp("engine")) as engine, monkeypatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.address)
        yield engine


@contextlib.contextmanager
def saving(client: Client, folder: Path) -> Iterator[None]:
    """Saves a notebook anew meanwhile, and goes on when the first of it is written."""

    def save() -> None:
        with contextlib.suppress(requests.RequestException):
            client.api("PUT", f"contents/{PATH}", type="notebook", content=notebook("b"))

    before = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    thread = threading.Thread(target=save)
    thread.start()
    poll(lambda: {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} != before, wanted="a file")
    yield
    thread.join()


def test_a_killed_engine_costs_neither_state_nor_login_nor_work(
    engine: Engine, own_stack: Callable[..., Stack]
) -> None:
    stack = own_stack()
    stack.up()
    password, authority = stack.generated_password(), stack.authority()
    before, started = kept_state(stack), [started_at(stack, service) for service in SERVICES]
    file = stack.repositories / PATH
    file.parent.mkdir()
    file.parent.chmod(0o777)
    with Client(stack.url, authority) as client:
        assert client.login(password).status_code == 302
        client.api("PUT", f"contents/{PATH}", type="notebook", content=notebook("a"))
        with saving(client, file.parent):
            engine.stop(signal.SIGKILL)
            engine.start()
            # As a person does it: the engine may take what it finds running for stopped by hand.
            stack.up()
        wait_for(client)
        assert letters(file) in ({"a"}, {"b"})
        assert kept_state(stack) == before
        client.api("PUT", f"contents/{PATH}", type="notebook", content=notebook("c"))
        assert letters(file) == {"c"}
        assert client.run("print(6 * 7)") == "42\n"
    assert all(started_at(stack, service) != before for service, before in zip(SERVICES, started, strict=True))
    with Client(stack.url, authority) as another:
        assert another.login(password).status_code == 302
    assert stack.log().count("made up now") == 1
