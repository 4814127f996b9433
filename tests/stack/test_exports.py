"""Exports: each format on the menu makes a file of a notebook with text, code and a plot's output."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from tests.clients import Client
from tests.stacks import Stack

# A pixel, as a plot is kept.
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
OUTPUT = {"output_type": "display_data", "data": {"image/png": PNG, "text/plain": "plot"}, "metadata": {}}
TEXT: dict[str, Any] = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": "# Title\n\n*text*, $x^2$"}
CODE: dict[str, Any] = {"cell_type": "code", "id": "b", "metadata": {}, "source": "1", "execution_count": 1}
NOTEBOOK = {"cells": [TEXT, {**CODE, "outputs": [OUTPUT]}], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
# A template of one's own; as it stands it has none.
NOT_ON_THE_MENU = {"custom"}


def test_every_format_on_the_menu_works(stack: Stack, client: Client) -> None:
    (stack.repositories / "export.ipynb").write_text(json.dumps(NOTEBOOK))
    formats = set(client.api("GET", "nbconvert")) - NOT_ON_THE_MENU
    assert {"html", "markdown", "pdf", "script", "slides"} <= formats
    failed, made = {}, {}
    for name in sorted(formats):
        # As the menu's link asks.
        address = f"{client.url}/nbconvert/{name}/export.ipynb?download=true"
        answer = client.session.get(address, headers={"Referer": f"{client.url}/lab"}, timeout=120)
        made[name] = answer.content
        if not answer.ok or not answer.content:
            failed[name] = answer.status_code
    assert failed == {}
    assert made["pdf"].startswith(b"%PDF-")
    assert re.search(rb"/Subtype\s*/Image", made["pdf"])


@pytest.mark.parametrize(
    ("path", "status", "told"),
    [
        ("nbconvert/no-such-format/export.ipynb", 404, "There is nothing at this address."),
        ("nbconvert/html/broken.ipynb", 400, "This has failed: "),
        ("files/nothing.txt", 404, "There is nothing at this address."),
    ],
)
def test_an_error_has_the_look_of_the_door_s_and_a_way_back(
    stack: Stack, client: Client, path: str, status: int, told: str
) -> None:
    (stack.repositories / "export.ipynb").write_text(json.dumps(NOTEBOOK))
    (stack.repositories / "broken.ipynb").write_text("<script>alert(1)</script>")
    headers = {"Accept": "text/html", "Sec-Fetch-Mode": "navigate", "Referer": f"{client.url}/lab"}
    answer = client.session.get(f"{client.url}/{path}", headers=headers, timeout=60)
    assert answer.status_code == status
    assert told in answer.text
    assert '<a class="button"' in answer.text
    assert "<script>" not in answer.text
