"""The way in: the certificate, then the form."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, Playwright, Response, ViewportSize, expect
from pyotp import TOTP

from tests.browser.conftest import DESKTOP, import_authority, launch, new_page
from tests.browser.lab import Lab, screenshot, visit, write_notebook
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack, poll

PHONE = ViewportSize(width=390, height=844)


@pytest.fixture
def phone(browser: Browser) -> Iterator[Page]:
    with new_page(browser, PHONE) as page:
        yield page
    page.context.close()


def test_the_certificate_is_trusted_without_a_warning(page: Page, stranger: Browser, stack: Stack) -> None:
    visit(page, stack.url)
    expect(page.get_by_label("Password")).to_be_visible()
    assert page.evaluate("isSecureContext")
    with pytest.raises(Error, match="ERR_CERT_AUTHORITY_INVALID"):
        visit(new_page(stranger, DESKTOP), stack.url)


FORM = """() => {
    const button = document.getElementById("login_submit");
    return [document.querySelector("[role=alert]").innerText, button.innerText, button.disabled];
}"""
LOGGED_OUT = "You are logged out; your kernels run on. Log in in another tab, then go on in this one."
KEPT = """async () => {
    const cached = await fetch("/files/kept.txt", {cache: "only-if-cached", mode: "same-origin"}).catch(() => null);
    return [localStorage.getItem("kept"), cached && await cached.text()];
}"""


def test_who_logs_out_leaves_nothing_of_a_notebook_on_a_borrowed_computer(lab: Lab) -> None:
    (lab.stack.repositories / "kept.txt").write_text("of a notebook")
    lab.login()
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    lab.page.evaluate(
        "async () => { localStorage.setItem('kept', '1'); await (await fetch('/files/kept.txt')).text(); }"
    )
    assert lab.page.evaluate(KEPT) == ["1", "of a notebook"]
    lab.page.get_by_role("menuitem", name="File", exact=True).click()
    expect(lab.page.get_by_text("Log Out", exact=True)).to_be_visible()
    # It would end every kernel, and Docker would start the server again.
    expect(lab.page.get_by_text("Shut Down", exact=True)).to_have_count(0)
    lab.page.get_by_text("Log Out", exact=True).click()
    expect(lab.page.get_by_text("You are logged out.")).to_be_visible()
    assert lab.page.evaluate(KEPT) == [None, None]
    screenshot(lab.page, "logout.png")
    lab.page.get_by_role("link", name="Log in again").click()
    expect(lab.page.get_by_label("Password")).to_be_visible()
    visit(lab.page, f"{lab.stack.url}/lab")
    expect(lab.page.get_by_label("Password")).to_be_visible()


def test_who_logs_out_in_one_tab_is_logged_out_in_all(lab: Lab) -> None:
    lab.open_notebook(write_notebook(lab.stack.repositories / "two-tabs.ipynb", "x = 1"))
    with lab.page.context.new_page() as other:
        visit(other, f"{lab.stack.url}/logout")
        expect(other.get_by_text("You are logged out.")).to_be_visible()
    # Its websocket would have run code for whoever comes next.
    expect(lab.page.get_by_text(LOGGED_OUT)).to_be_visible()
    expect(lab.page.get_by_text("Python 3 | Connecting")).to_be_visible()


def test_another_site_s_link_logs_nobody_out(lab: Lab) -> None:
    lab.login()
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    with lab.page.context.new_page() as other:
        other.set_content(f"<a href='{lab.stack.url}/logout'>kittens</a>")
        other.get_by_text("kittens").click()
        button = other.get_by_role("link", name="Log out", exact=True)
        expect(button).to_be_visible()
        visit(lab.page, f"{lab.stack.url}/lab")
        expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
        button.click()
        expect(other.get_by_text("You are logged out.")).to_be_visible()


def is_checkpoint(answer: Response) -> bool:
    return answer.request.method == "POST" and "/checkpoints" in answer.url


def test_a_tab_that_was_logged_out_says_so_and_goes_on_after_a_login_in_another(lab: Lab) -> None:
    lab.open_notebook(write_notebook(lab.stack.repositories / "logged-out.ipynb", "x = 1"))
    lab.stack.workhorse("sign-out")
    expect(lab.page.get_by_text("Python 3 | Connecting")).to_be_visible()
    lab.page.keyboard.press("Control+s")
    notice = lab.page.get_by_text(LOGGED_OUT)
    expect(notice).to_be_visible()
    screenshot(lab.page, "logged-out.png")
    # What was to be saved is, with its checkpoint, before which JupyterLab saves nothing else.
    with lab.page.expect_response(is_checkpoint), lab.page.context.new_page() as other:
        Lab(other, lab.stack).login()
        expect(other.get_by_role("menuitem", name="File", exact=True)).to_be_visible()
    # Its kernel was never called dead, and its work can be saved.
    expect(lab.page.get_by_text("Python 3 | Idle")).to_be_visible()
    expect(notice).to_have_count(0)
    lab.save()


def test_a_wrong_password_shows_the_message(lab: Lab) -> None:
    lab.login(password="not the password")
    expect(lab.page.get_by_text("This is not the password.")).to_be_visible()
    expect(lab.page.get_by_label("Password")).to_be_visible()
    assert "/login" in lab.page.url
    screenshot(lab.page, "wrong-password.png")


def test_too_many_wrong_passwords_show_how_long_to_wait(browser: Browser, stack: Stack) -> None:
    """In a browser that is new, so that the other tests' own is not held up."""
    with new_page(browser, DESKTOP) as page:
        lab = Lab(page, stack)

        def guess() -> tuple[str, str] | None:
            """What a closed form says; of the first wait, a second, nothing may be left when it is looked at."""
            lab.login(password="not the password")
            expect(page.get_by_role("alert")).to_be_visible()
            alert, label, is_closed = page.evaluate(FORM)
            return (alert, label) if is_closed else None

        alert, label = poll(guess, wanted="a form that waits")
        assert alert.startswith("Too many wrong passwords. Try again in")
        assert re.fullmatch(r"Log in in \d+ s", label)
        screenshot(page, "waiting.png")
        button = page.get_by_role("button", name=re.compile("^Log in"))
        page.get_by_label("Password").fill("typed while waiting")
        expect(page.get_by_text("You can try again now.")).to_be_visible()
        expect(button).to_be_enabled()
        expect(page.get_by_label("Password")).to_have_value("typed while waiting")

        def comes_in() -> bool | None:
            lab.login()
            page.wait_for_load_state()
            return "/login" not in page.url or None

        # The right password ends it for everyone at this address, the other tests too.
        poll(comes_in, wanted="the wait to be over")
    page.context.close()


def test_the_form_leads_to_the_page_that_was_asked_for(lab: Lab) -> None:
    visit(lab.page, f"{lab.stack.url}/lab")
    screenshot(lab.page, "login.png")
    lab.login()
    expect(lab.page.get_by_role("menuitem", name="File")).to_be_visible()
    assert lab.page.url.startswith(f"{lab.stack.url}/lab")


def test_a_second_login_tells_of_the_one_before(stack: Stack, authority: Path, lab: Lab) -> None:
    with Client(stack.url, authority) as device:
        assert poll(lambda: device.login(PASSWORD).status_code == 302 or None, wanted="a login before")
    lab.login("/lab?reset")
    notice = lab.notifications.filter(has_text="Last login before this one:")
    # Which lets it stay.
    notice.hover()
    expect(notice).to_contain_text("(python-requests)")
    poll(lambda: is_within_the_screen(notice, DESKTOP) or None, 10, "the notice to slide in")
    screenshot(lab.page, "last-login.png")


def test_a_password_can_be_looked_at_and_is_sent_as_one(lab: Lab) -> None:
    visit(lab.page, f"{lab.stack.url}/lab")
    password = lab.page.get_by_label("Password", exact=True)
    password.fill(PASSWORD)
    show = lab.page.get_by_role("button", name="Show password")
    for kind, pressed in (("text", "true"), ("password", "false"), ("text", "true")):
        show.click()
        expect(password).to_have_attribute("type", kind)
        expect(show).to_have_attribute("aria-pressed", pressed)
    screenshot(lab.page, "login-shown.png")
    lab.page.get_by_role("button", name="Log in").click()
    expect(lab.page.get_by_role("menuitem", name="File", exact=True)).to_be_visible()


def test_a_browser_finds_what_to_keep_and_what_not(lab: Lab) -> None:
    """A name for the password manager, which nobody sees, beside the password."""
    visit(lab.page, f"{lab.stack.url}/lab")
    expect(lab.page.locator("input[autocomplete=username]")).to_have_value("workhorse")
    expect(lab.page.locator("input[autocomplete=username]")).to_be_hidden()
    expect(lab.page.locator("input[autocomplete=current-password]")).to_be_focused()


def test_a_code_is_asked_for_besides_the_password(
    playwright: Playwright, own_stack: Callable[..., Stack], tmp_path: Path
) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, TOTP="on")
    stack.up()
    key = re.search(r"type this key into it: (\w+)", stack.workhorse("totp"))
    assert key
    home = tmp_path / "home-with-authority"
    home.mkdir()
    import_authority(stack.authority(), home)
    with launch(playwright, home) as browser, new_page(browser, DESKTOP) as page:
        visit(page, f"{stack.url}/lab")
        for code in ("000 000", TOTP(key[1]).now()):
            page.get_by_label("Password").fill(PASSWORD)
            page.get_by_label("Code from your phone").fill(code)
            expect(page.get_by_label("Code from your phone")).to_have_attribute("inputmode", "numeric")
            if code == "000 000":
                page.keyboard.press("Enter")
                expect(page.get_by_role("alert")).to_have_text("Password or code is not right. Each code works once.")
                screenshot(page, "code.png")
            else:
                page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("menuitem", name="File")).to_be_visible()
        page.context.close()


def test_a_phone_sees_the_login_form(phone: Page, stack: Stack) -> None:
    visit(phone, stack.url)
    screenshot(phone, "phone-login.png")
    assert is_within_the_screen(phone.get_by_label("Password"))
    assert is_within_the_screen(phone.get_by_role("button", name="Log in"))


def is_within_the_screen(element: Locator, screen: ViewportSize = PHONE) -> bool:
    box = element.bounding_box()
    assert box
    right, bottom = box["x"] + box["width"], box["y"] + box["height"]
    return box["x"] >= 0 and box["y"] >= 0 and right <= screen["width"] and bottom <= screen["height"]
