"""Chromium, driven by Playwright, with the private authority imported as a person does it, and nothing ignored."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Playwright, ViewportSize, expect, sync_playwright

from tests.browser.lab import ARTEFACTS, Lab
from tests.browser.network import own_network
from tests.conftest import PASSWORD
from tests.stacks import Stack, new_stack, running

NAMES = ("chromium", "chromium-browser", "google-chrome")
# The network may be closed; what Chromium asks its makers for by itself only costs time.
QUIET = (
    "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
)  # fmt: skip
DESKTOP = ViewportSize(width=1280, height=800)
MILLISECONDS = 120_000


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One running stack for every browser test: each opens notebooks of its own."""
    with running(new_stack(tmp_path_factory.mktemp("browser"), JUPYTER_PASSWORD=PASSWORD)) as stack:
        yield stack


@pytest.fixture(scope="package")
def authority(stack: Stack) -> Path:
    return stack.authority()


@pytest.fixture(scope="package")
def playwright(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Playwright]:
    expect.set_options(timeout=MILLISECONDS)
    folder = tmp_path_factory.mktemp("network")
    with own_network(chromium(), folder), pytest.MonkeyPatch.context() as changed, sync_playwright() as playwright:
        changed.setenv("PATH", str(folder), prepend=os.pathsep)
        yield playwright


@pytest.fixture(scope="package")
def browser(playwright: Playwright, authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that trusts the authority."""
    home = tmp_path_factory.mktemp("home")
    import_authority(authority, home)
    with launch(playwright, home) as browser:
        yield browser


@pytest.fixture
def stranger(playwright: Playwright, tmp_path: Path) -> Iterator[Browser]:
    """A browser that has never heard of the authority."""
    with launch(playwright, tmp_path) as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    with new_page(browser, DESKTOP) as page, seen(page, request):
        yield page
    page.context.close()


@contextmanager
def seen(page: Page, request: pytest.FixtureRequest) -> Iterator[None]:
    """Leaves a picture of each page behind if the test fails, and says what has the focus."""
    failures = request.session.testsfailed
    yield
    if request.session.testsfailed > failures:
        name = re.sub(r"[^a-z0-9]+", "-", request.node.name.lower())
        for number, each in enumerate(page.context.pages):
            each.screenshot(path=ARTEFACTS / f"failed-{name}-{number}.png")
            print(f"{each.url}, and the focus on {each.evaluate('document.activeElement.outerHTML.slice(0, 300)')}")


@pytest.fixture
def lab(page: Page, stack: Stack) -> Lab:
    """JupyterLab, not yet opened nor logged in to."""
    return Lab(page, stack)


def import_authority(authority: Path, home: Path) -> None:
    """What `certutil` is for: on Linux, Chromium takes a person's own authorities from NSS's database in their home."""
    database = home / ".pki" / "nssdb"
    database.mkdir(parents=True)
    for arguments in (["-N", "--empty-password"], ["-A", "-t", "C,,", "-n", "Workhorse", "-i", str(authority)]):
        subprocess.run(["certutil", "-d", f"sql:{database}", *arguments], check=True)


def chromium() -> str:
    program = next(filter(None, map(shutil.which, NAMES)), None)
    assert program, "make browser installs a Chromium"
    return program


def launch(playwright: Playwright, home: Path, *arguments: str) -> Browser:
    # Without the sandbox, Playwright's default: root can't have it, and a container's user often can't.
    return playwright.chromium.launch(
        executable_path=chromium(),
        args=[*QUIET, *arguments],
        env={**os.environ, "HOME": str(home)},
        timeout=MILLISECONDS,
    )


def new_page(browser: Browser, viewport: ViewportSize) -> Page:
    context = browser.new_context(viewport=viewport)
    context.set_default_timeout(MILLISECONDS)
    return context.new_page()
