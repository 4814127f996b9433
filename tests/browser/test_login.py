"""The way in: the certificate, then the form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, ViewportSize, expect

from tests.browser.conftest import DESKTOP, new_page
from tests.browser.lab import Lab, screenshot, visit
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
        waiting = page.get_by_text("Too many wrong passwords. Try again in")

        def guess() -> bool | None:
            lab.login(password="not the password")
            expect(page.get_by_role("alert")).to_be_visible()
            return waiting.is_visible() or None

        poll(guess, wanted="the waiting message")
        screenshot(page, "waiting.png")
        expect(page.get_by_label("Password")).to_be_visible()
    page.context.close()


def test_the_form_leads_to_the_page_that_was_asked_for(lab: Lab) -> None:
    visit(lab.page, f"{lab.stack.url}/lab")
    screenshot(lab.page, "login.png")
    lab.login()
    expect(lab.page.get_by_role("menuitem", name="File")).to_be_visible()
    assert lab.page.url.startswith(f"{lab.stack.url}/lab")


def test_a_second_login_tells_of_the_one_before(browser: Browser, stack: Stack) -> None:
    for name in ("first", "second"):
        with new_page(browser, DESKTOP) as page:
            lab = Lab(page, stack)
            lab.login("/lab?reset")
            expect(page.get_by_role("menuitem", name="File")).to_be_visible()
            if name == "second":
                notice = lab.notifications.filter(has_text="Last login before this one:")
                expect(notice).to_be_visible()
                poll(lambda: is_within_the_screen(notice, DESKTOP) or None, 10, "the notice to slide in")
                print(notice.inner_html())
                screenshot(page, "last-login.png")
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
