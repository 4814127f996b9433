"""A phone's day: its first page, a notebook that fills the screen, a plot, a question, a photo, and the way out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, TimeoutError, expect

from tests.browser.conftest import MILLISECONDS, seen
from tests.browser.lab import ARTEFACTS, Lab, screenshot, visit, write_notebook
from tests.browser.test_login import PHONE, is_within_the_screen
from tests.browser.test_notebooks import SLIDER
from tests.conftest import PASSWORD
from tests.laptops import arrives
from tests.stacks import Stack, poll

# As a phone's browser names itself.
AGENT = (
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36"
)
PLOT = "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2])\nplt.show()"
ASKING = "name = input('Your name? ')\nprint('hello', name)"
TAP_MILLISECONDS = 20_000
PHOTO = Path(__file__).parents[2] / "docs" / "jupyterlab.png"


@pytest.fixture
def phone(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = browser.new_context(viewport=PHONE, user_agent=AGENT, is_mobile=True, has_touch=True)
    context.set_default_timeout(MILLISECONDS)
    page = context.new_page()
    with seen(page, request):
        yield page
    context.close()


def log_in(phone: Page, stack: Stack, path: str = "/") -> None:
    visit(phone, stack.url + path)
    phone.get_by_label("Password").fill(PASSWORD)
    phone.get_by_role("button", name="Log in").tap()


def run_cell(phone: Page, cell: int) -> Locator:
    """By the toolbar's button, as a finger does it."""
    phone.locator(".jp-Notebook .jp-Cell .jp-InputPrompt").nth(cell).tap()
    phone.locator(".jp-Toolbar").get_by_role("button", name="Run this cell and advance").tap()
    return phone.locator(".jp-Notebook .jp-Cell").nth(cell)


def test_a_phone_s_first_page_is_a_list_of_files_and_a_computer_s_is_jupyterlab(phone: Page, lab: Lab) -> None:
    (lab.stack.repositories / "measurements").mkdir(exist_ok=True)
    log_in(phone, lab.stack)
    phone.wait_for_url(f"{lab.stack.url}/tree")
    expect(phone.get_by_text("measurements")).to_be_visible()
    screenshot(phone, "phone-files.png")
    poll(lambda: is_within_the_screen(phone.get_by_role("button", name="Upload")) or None, wanted="a button to upload")
    lab.login("/")
    lab.page.wait_for_url(f"{lab.stack.url}/lab**")
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()


def test_each_page_leads_to_the_other_and_a_bookmark_stays(phone: Page, lab: Lab) -> None:
    log_in(phone, lab.stack, "/lab?reset")
    expect(phone.locator(".jp-Launcher-section").first).to_be_visible()
    assert "/lab" in phone.url
    visit(phone, f"{lab.stack.url}/tree")
    item = open_menu(phone, "View", "Open JupyterLab")
    with phone.expect_popup() as opened:
        item.tap()
    expect(opened.value.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    assert "/lab" in opened.value.url
    lab.login("/tree")
    expect(lab.page.get_by_role("button", name="Upload")).to_be_visible()
    visit(lab.page, f"{lab.stack.url}/lab?reset")
    lab.page.get_by_role("menuitem", name="View", exact=True).click()
    with lab.page.expect_popup() as other:
        lab.page.get_by_text("Launch Jupyter Notebook File Browser", exact=True).click()
    assert "/tree" in other.value.url


def test_a_terminal_has_a_page_of_its_own(phone: Page, stack: Stack) -> None:
    log_in(phone, stack)
    phone.get_by_text("New", exact=True).tap()
    with phone.expect_popup() as opened:
        phone.locator(".lm-Menu-item", has_text="Terminal").tap()
    page = opened.value
    expect(page.locator(".jp-Terminal .xterm-screen")).to_be_visible()
    assert "/terminals/" in page.url
    page.locator(".jp-Terminal").tap()
    page.keyboard.type("echo hello >from-a-phone.txt\n")
    poll(lambda: (stack.repositories / "from-a-phone.txt").exists() or None, wanted="what the terminal wrote")
    screenshot(page, "phone-terminal.png")


def test_a_day_on_a_phone(phone: Page, stack: Stack) -> None:
    notebook = write_notebook(stack.repositories / "on-the-phone.ipynb", PLOT, ASKING)
    log_in(phone, stack)
    phone.get_by_text(notebook.name, exact=True).tap()
    with phone.expect_popup() as opened:
        phone.get_by_role("button", name="Open", exact=True).tap()
    page = opened.value
    page.set_default_timeout(MILLISECONDS)
    editor = page.locator(".jp-Notebook .jp-Cell .cm-content").first
    expect(editor).to_be_visible()
    poll(lambda: width_of(editor) > PHONE["width"] * 0.8 or None, wanted="an editor that fills the screen")
    plot = run_cell(page, 0).locator(".jp-OutputArea-output img")
    expect(plot).to_be_visible()
    poll(lambda: is_within_the_screen(plot) or None, wanted="the whole plot on the screen")
    screenshot(page, "phone-plot.png")
    asking = run_cell(page, 1)
    answer = asking.locator("input.jp-Stdin-input")
    expect(answer).to_be_visible()
    screenshot(page, "phone-input.png")
    answer.fill("Ada")
    answer.press("Enter")
    expect(asking.locator(".jp-OutputArea-output").last).to_contain_text("hello Ada")
    see_what_runs(phone, notebook)
    upload(phone, stack)
    log_out(phone)


def test_a_slider_moves_below_a_finger(phone: Page, stack: Stack) -> None:
    notebook = write_notebook(stack.repositories / "slider-on-the-phone.ipynb", SLIDER)
    log_in(phone, stack, f"/notebooks/{notebook.name}")
    output = run_cell(phone, 0).locator(".jp-Cell-outputArea")
    expect(output.get_by_text("area 25")).to_be_visible()
    slider = output.locator(".noUi-target")
    slider.tap(position={"x": width_of(slider) - 1, "y": 2})
    expect(output.get_by_text("area 100")).to_be_visible()
    screenshot(phone, "phone-slider.png")


def width_of(element: Locator) -> float:
    box = element.bounding_box()
    return box["width"] if box else 0


def see_what_runs(phone: Page, notebook: Path) -> None:
    phone.get_by_role("tab", name="Running").tap()
    expect(phone.locator(".jp-RunningSessions").get_by_text(notebook.name).first).to_be_visible()
    screenshot(phone, "phone-running.png")
    phone.get_by_role("tab", name="Files").tap()


def upload(phone: Page, stack: Stack) -> None:
    photo = ARTEFACTS / "photo.png"
    photo.write_bytes(PHOTO.read_bytes())
    with phone.expect_file_chooser() as chooser:
        phone.get_by_role("button", name="Upload").tap()
    chooser.value.set_files(photo)
    expect(phone.get_by_text(photo.name, exact=True)).to_be_visible()
    arrives(stack.repositories / photo.name, PHOTO.read_bytes())


def open_menu(phone: Page, menu: str, item: str) -> Locator:
    """Returns an item of a menu, which is tapped until it shows that: the page may not listen yet."""
    found = phone.get_by_text(item, exact=True)

    def opened() -> bool | None:
        phone.get_by_role("menuitem", name=menu, exact=True).tap()
        with suppress(AssertionError):
            expect(found).to_be_visible(timeout=TAP_MILLISECONDS / 4)
            return True
        return None

    poll(opened, wanted=item)
    return found


def log_out(phone: Page) -> None:
    log_out_item = open_menu(phone, "File", "Log Out")
    # It would end every kernel.
    expect(phone.get_by_text("Shut Down", exact=True)).to_have_count(0)
    screenshot(phone, "phone-menu.png")
    # Of a tap whose page is gone before the finger is, Chromium may tell nothing.
    with suppress(TimeoutError):
        log_out_item.tap(timeout=TAP_MILLISECONDS)
    expect(phone.get_by_text("You are logged out.")).to_be_visible()
