"""Fixtures that every kind of test shares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import settings

from tests.clients import Client
from tests.stacks import Stack, new_stack, prepared, running

# No deadlines, and the same examples at each run: what is new is looked for on purpose, by another profile.
settings.load_profile("ci")

PASSWORD = "correct horse battery"


def pytest_unconfigure(config: pytest.Config) -> None:
    """Names once more what failed, as the last that is said: what a browser says of a failure fills a screen."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter:
        for report in (*reporter.getreports("failed"), *reporter.getreports("error")):
            crash = getattr(report.longrepr, "reprcrash", None)
            print(f"{report.outcome}: {report.nodeid}, {report.when}: {crash.message[:300] if crash else ''}")


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running stack that the tests of one file share; they leave it running and undamaged."""
    names = "lab.example.org,192.168.77.7"
    with running(new_stack(tmp_path_factory.mktemp("stack"), JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES=names)) as stack:
        yield stack


@pytest.fixture(scope="module")
def authority(stack: Stack) -> Path:
    return stack.authority()


@pytest.fixture
def client(stack: Stack, authority: Path) -> Iterator[Client]:
    """A device that is logged in to the shared stack."""
    with Client(stack.url, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        yield client


@pytest.fixture
def own_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Makes stacks for one test alone, not yet started: `own_stack(JUPYTER_PASSWORD='...')`."""
    with ExitStack() as stacks:

        def make(**settings: str) -> Stack:
            folder = tmp_path / f"stack-{len(list(tmp_path.iterdir()))}"
            folder.mkdir()
            return stacks.enter_context(prepared(new_stack(folder, **settings)))

        yield make
