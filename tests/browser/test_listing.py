"""The file browser's polling: what hasn't changed is sent once."""

from __future__ import annotations

from playwright.sync_api import Response, expect

from tests.browser.lab import Lab

# JupyterLab asks every ten seconds.
MILLISECONDS = 60_000


def is_listing(response: Response) -> bool:
    return "/api/contents?content=1" in response.url


def test_a_folder_that_has_not_changed_is_sent_once_and_a_change_is_shown(lab: Lab) -> None:
    (lab.stack.repositories / "polled-first.txt").touch()
    lab.login("/lab?reset")
    expect(lab.page.get_by_role("listitem", name="polled-first.txt")).to_be_visible()
    same = "the same listing, as the server says"
    with lab.page.expect_response(lambda each: is_listing(each) and each.status == 304, timeout=MILLISECONDS):
        lab.page.wait_for_timeout(0)
    expect(lab.page.get_by_role("listitem", name="polled-first.txt"), same).to_be_visible()
    with lab.page.expect_response(lambda each: is_listing(each) and each.status == 200, timeout=MILLISECONDS):
        (lab.stack.repositories / "polled-second.txt").touch()
    expect(lab.page.get_by_role("listitem", name="polled-second.txt")).to_be_visible()
    expect(lab.page.get_by_role("listitem", name="polled-first.txt")).to_be_visible()
