"""Our own pages for everybody: an accessibility checker (axe-core) finds nothing on them, light or dark."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Locator, Page, Playwright, ViewportSize, expect

from entrypoint.files.private import write_private
from entrypoint.login.second_factor import new_second_factor, to_json
from entrypoint.proxy import refusals
from tests.browser.conftest import DESKTOP, import_authority, launch, new_page
from tests.browser.lab import Lab, screenshot, visit
from tests.doors import PASSWORD as DOOR_PASSWORD
from tests.doors import StandingDoor, standing_door
from tests.stacks import Stack

AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
NARROW = ViewportSize(width=320, height=640)
# What may move, does so by these.
MOVING = """() => document.getAnimations().length + [...document.querySelectorAll('*')].filter(each => {
    const { transitionDuration, scrollBehavior } = getComputedStyle(each);
    return transitionDuration !== '0s' || scrollBehavior === 'smooth';
}).length"""

# Of a field's border, and of the page itself.
COLOURS = """field => {
    const page = document.createElement('i');
    page.style.color = 'Canvas';
    document.body.append(page);
    const colours = [getComputedStyle(field).borderTopColor, getComputedStyle(page).color];
    page.remove();
    return colours.map(each => each.match(/\\d+/g).slice(0, 3).map(Number));
}"""


def weaknesses(page: Page) -> list[Any]:
    """What axe finds, in both colour schemes; besides, that nothing moves and nothing is wider than a narrow screen."""
    found: list[Any] = []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        page.evaluate(AXE)
        result = page.evaluate("axe.run({resultTypes: ['violations']})")
        found += [(scheme, each["id"], [node["html"] for node in each["nodes"]]) for each in result["violations"]]
    assert page.evaluate(MOVING) == 0
    size = page.viewport_size or DESKTOP
    page.set_viewport_size(NARROW)
    width = page.evaluate("document.documentElement.scrollWidth")
    page.set_viewport_size(size)
    return [*found, *([f"{width} pixels wide"] if width > NARROW["width"] else [])]


def contrast_of_the_border(field: Locator) -> float:
    """Between a field's border and the page (WCAG 2.2, 1.4.11, and its definition of relative luminance)."""
    lighter, darker = sorted(map(luminance, field.evaluate(COLOURS)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Any) -> float:
    linear = [part / 255 / 12.92 if part <= 10 else ((part / 255 + 0.055) / 1.055) ** 2.4 for part in colour]
    return float(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])


@contextmanager
def trusted_page(playwright: Playwright, door: StandingDoor, home: Path) -> Iterator[Page]:
    import_authority(door.places.tls.authority, home)
    with launch(playwright, home) as browser, new_page(browser, DESKTOP) as page:
        yield page


def test_the_ways_in_and_out(lab: Lab) -> None:
    page = lab.page
    visit(page, f"{lab.stack.url}/login")
    assert weaknesses(page) == []
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        assert contrast_of_the_border(page.get_by_label("Password", exact=True)) >= 3
    lab.login(password="not the password")
    expect(page.get_by_text("This is not the password.")).to_be_visible()
    assert weaknesses(page) == []
    visit(page, f"{lab.stack.url}/logout")
    assert weaknesses(page) == []


def test_the_server_s_own_page_which_the_help_menu_opens(lab: Lab) -> None:
    for address, opened in (("/lab?reset", "JupyterLab"), ("/tree", "Jupyter Notebook")):
        lab.login(address) if opened == "JupyterLab" else visit(lab.page, lab.stack.url + address)
        lab.page.get_by_role("menuitem", name="Help", exact=True).click()
        with lab.page.context.expect_page() as other:
            lab.page.get_by_text("About This Server", exact=True).click()
        page = other.value
        expect(page.get_by_role("heading", name="Devices that are logged in")).to_be_visible()
        expect(page.get_by_role("heading", name="What runs")).to_be_visible()
        page.close()
    with lab.page.context.new_page() as page:
        page.set_viewport_size(DESKTOP)
        visit(page, f"{lab.stack.url}/server")
        screenshot(page, "own-page.png")
        assert weaknesses(page) == []
        # Where the door has passed the question on.
        visit(page, f"{lab.stack.url}/files/nothing")
        expect(page.get_by_text("There is nothing at this address.")).to_be_visible()
        assert weaknesses(page) == []


def test_the_page_to_trust_the_authority(lab: Lab) -> None:
    lab.stack.workhorse("share-ca")
    try:
        visit(lab.page, f"{lab.stack.url}/trust")
        for summary in lab.page.locator("summary").all():
            summary.click()
        assert weaknesses(lab.page) == []
    finally:
        lab.stack.workhorse("share-ca", "--stop")


def test_who_was_only_told_to_go_on_reads_that_trust_is_faster(lab: Lab, stranger: Browser, stack: Stack) -> None:
    with stranger.new_context(ignore_https_errors=True) as context, context.new_page() as page:
        for _ in range(2):
            visit(page, f"{stack.url}/login")
            expect(page.get_by_text("Did your browser warn you?")).to_be_visible()
    visit(lab.page, f"{stack.url}/login")
    # What its browser keeps from this visit, it has at the next.
    lab.page.wait_for_load_state("networkidle")
    visit(lab.page, f"{stack.url}/login?next=%2F")
    expect(lab.page.get_by_text("Did your browser warn you?")).to_be_hidden()


@pytest.fixture(scope="module")
def door(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandingDoor]:
    """One that asks for codes, with nobody behind it; its pages don't load themselves anew while they are looked at."""
    with pytest.MonkeyPatch.context() as patch, standing_door(tmp_path_factory.mktemp("door"), None, TOTP="on") as door:
        for each in (door.server.passage.upstreams.lab, door.server.passage.upstreams.kernels):
            each.wait_seconds = 0
        patch.setattr(refusals, "AGAIN_SECONDS", 600)
        yield door


def test_codes_waiting_and_what_is_not_there(playwright: Playwright, door: StandingDoor, tmp_path: Path) -> None:
    with trusted_page(playwright, door, tmp_path) as page:
        visit(page, f"{door.url}/login")
        expect(page.get_by_role("status")).to_be_visible()
        assert weaknesses(page) == [], "while nobody has enrolled"
        factor, codes = new_second_factor()
        write_private(door.places.second_factor, to_json(factor).encode())
        visit(page, f"{door.url}/login")
        page.get_by_text("No phone at hand?").click()
        assert weaknesses(page) == []

        page.get_by_label("Password", exact=True).fill(DOOR_PASSWORD)
        page.get_by_label("A recovery code").fill(codes[0])
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_text("JupyterLab doesn't answer.")).to_be_visible()
        assert weaknesses(page) == [], "the lab is away"
        visit(page, f"{door.url}/workhorse/nothing")
        expect(page.get_by_text("There is nothing at this address.")).to_be_visible()
        assert weaknesses(page) == [], "nothing is there"

        visit(page, f"{door.url}/logout")
        while not page.get_by_text("Too many wrong passwords.").is_visible():
            visit(page, f"{door.url}/login")
            page.get_by_label("Password", exact=True).fill("not the password")
            page.get_by_role("button", name="Log in").click()
            expect(page.get_by_role("alert")).to_be_visible()
        assert weaknesses(page) == [], "who guesses waits"
