"""The door is made anew under an open page with a cell that prints: kernel and page go on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Playwright, expect

from tests.browser.conftest import import_authority, launch
from tests.browser.lab import Lab
from tests.browser.open_page import BACK_SECONDS, OpenPage, open_printing
from tests.conftest import PASSWORD
from tests.stacks import DOOR, IMAGE, KERNELS, KERNELS_IMAGE, LAB_IMAGE, Stack, new_stack, poll, running

# Ten by hand, where something of all this has changed.
RUNS = int(os.environ.get("WORKHORSE_TEST_RUNS", "1"))
# As a person's Compose file has it, only that a build takes a second; the door's image has one layer more each time.
BUILDS = """\
services:
  workhorse:
    image: {project}
    build: {{context: ., target: door, dockerfile_inline: "FROM {door} AS door\\nLABEL run={run}"}}
  lab:
    image: {project}-lab
    build: {{context: ., target: lab, dockerfile_inline: "FROM {lab} AS lab"}}
  kernels:
    image: {project}-kernels
    build: {{context: ., target: kernels, dockerfile_inline: "FROM {kernels} AS kernels"}}
"""

Change = Callable[[Stack, int], None]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    stack = new_stack(tmp_path_factory.mktemp("door"), JUPYTER_PASSWORD=PASSWORD)
    describe_builds(stack, -1)
    stack.compose("build")
    with running(stack):
        yield stack
    built = [f"{stack.project}{suffix}" for suffix in ("", "-lab", "-kernels")]
    subprocess.run(["docker", "image", "rm", *built], check=True, capture_output=True)


@pytest.fixture(scope="module")
def authority(stack: Stack) -> Path:
    return stack.authority()


@pytest.fixture(scope="module")
def browser(playwright: Playwright, authority: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    home = tmp_path_factory.mktemp("home")
    import_authority(authority, home)
    with launch(playwright, home) as browser:
        yield browser


def describe_builds(stack: Stack, run: int) -> None:
    override = BUILDS.format(project=stack.project, run=run, door=IMAGE, lab=LAB_IMAGE, kernels=KERNELS_IMAGE)
    (stack.folder / "docker-compose.override.yml").write_text(override)


def other_names(stack: Stack, run: int) -> None:
    # A public name would ask for another authority, which browsers would have to be told of.
    stack.set(SERVER_NAMES=f"lab{run}.local")
    stack.up()


def other_days(stack: Stack, run: int) -> None:
    stack.set(SESSION_DAYS=str(31 + run))
    stack.up()


def codes_on(stack: Stack, _run: int) -> None:
    stack.workhorse("totp")
    stack.set(TOTP="on")
    stack.up()


def codes_off(stack: Stack) -> None:
    """So that the password alone is asked for."""
    stack.set(TOTP="off")
    stack.up()


def another_build(stack: Stack, run: int) -> None:
    describe_builds(stack, run)
    stack.compose("up", "-d", "--build", "--wait")


def killed(stack: Stack, _run: int) -> None:
    # Not by Docker, which takes that for a stop by hand.
    os.kill(stack.container.attrs["State"]["Pid"], signal.SIGKILL)


CHANGES = [other_names, other_days, codes_on, another_build, killed]


@pytest.mark.parametrize("run", range(RUNS))
@pytest.mark.parametrize("change", CHANGES)
def test_a_page_goes_on_when_the_door_is_made_anew(lab: Lab, authority: Path, change: Change, run: int) -> None:
    codes_off(lab.stack)
    printing = open_printing(lab, f"{change.__name__}-{run}.ipynb")
    door, kernels = identity(lab.stack, DOOR), identity(lab.stack, KERNELS)
    change(lab.stack, run)
    poll(lambda: identity(lab.stack, DOOR) != door or None, wanted="another door")
    poll(lambda: answers(lab.stack, authority) or None, wanted="the door's answer")
    check_it_goes_on(printing, kernels)


@pytest.mark.parametrize("run", range(RUNS))
def test_another_password_asks_for_a_login_and_the_page_goes_on(lab: Lab, run: int) -> None:
    codes_off(lab.stack)
    printing = open_printing(lab, f"password-{run}.ipynb")
    kernels = identity(lab.stack, KERNELS)
    lab.stack.set(JUPYTER_PASSWORD=f"{PASSWORD} {run}")
    lab.stack.up()
    notice = lab.page.locator("#workhorse-notice")
    expect(notice).to_contain_text("You are logged out; your kernels run on.")
    with lab.page.expect_popup() as opened:
        notice.get_by_role("link", name="Log in").click()
    opened.value.get_by_label("Password").fill(f"{PASSWORD} {run}")
    opened.value.get_by_role("button", name="Log in").click()
    check_it_goes_on(printing, kernels)
    lab.stack.set(JUPYTER_PASSWORD=PASSWORD)
    lab.stack.up()


def check_it_goes_on(printing: OpenPage, kernels: tuple[str, str]) -> None:
    assert printing.has_gone_on(len(printing.lines())) < BACK_SECONDS
    printing.check_nothing_is_lost()
    assert identity(printing.lab.stack, KERNELS) == kernels


def identity(stack: Stack, service: str) -> tuple[str, str]:
    """Which container it is, and since when it runs."""
    container = stack.container_of(service)
    return str(container.id), str(container.attrs["State"]["StartedAt"])


def answers(stack: Stack, authority: Path) -> bool:
    try:
        return requests.get(f"{stack.url}/health", verify=str(authority), timeout=5).ok
    except requests.RequestException:
        return False
