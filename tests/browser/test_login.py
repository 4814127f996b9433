"""The way in: the certificate, then the form."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Error, Locator, Page, ViewportSize, expect

from tests.browser.conftest import DESKTOP, new_page
from tests.browser.lab import Lab, screenshot, visit
from tests.stacks import Stack

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


def test_the_form_leads_to_the_page_that_was_asked_for(lab: Lab) -> None:
    visit(lab.page, f"{lab.stack.url}/lab")
    screenshot(lab.page, "login.png")
    lab.login()
    expect(lab.page.get_by_role("menuitem", name="File")).to_be_visible()
    assert lab.page.url.startswith(f"{lab.stack.url}/lab")


def test_a_phone_sees_the_login_form(phone: Page, stack: Stack) -> None:
    visit(phone, stack.url)
    screenshot(phone, "phone-login.png")
    assert is_within_the_screen(phone.get_by_label("Password"))
    assert is_within_the_screen(phone.get_by_role("button", name="Log in"))


def is_within_the_screen(element: Locator) -> bool:
    box = element.bounding_box()
    assert box
    right, bottom = box["x"] + box["width"], box["y"] + box["height"]
    return box["x"] >= 0 and box["y"] >= 0 and right <= PHONE["width"] and bottom <= PHONE["height"]
