"""Whom the bare address leads where."""

from __future__ import annotations

import pytest

from entrypoint.lab.first_page import first_page

ENGINE = "AppleWebKit/537.36 (KHTML, like Gecko)"


@pytest.mark.parametrize(
    ("agent", "hint", "page"),
    [
        (f"Mozilla/5.0 (Linux; Android 10; K) {ENGINE} Chrome/150.0.0.0 Mobile Safari/537.36", "?1", "tree"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) Version/18.5 Mobile/15E148 Safari/604.1", "", "tree"),
        ("Mozilla/5.0 (Android 16; Mobile; rv:150.0) Gecko/150.0 Firefox/150.0", "", "tree"),
        ("", "?1", "tree"),
        (f"Mozilla/5.0 (X11; Linux x86_64) {ENGINE} Chrome/150.0.0.0 Safari/537.36", "?0", "lab"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.5 Safari/605.1.15", "", "lab"),
        ("", "", "lab"),
    ],
)
def test_phones_are_led_to_the_list_of_files(agent: str, hint: str, page: str) -> None:
    assert first_page(agent, hint) == page
