"""What a notebook's cells become on paper."""

from __future__ import annotations

from typing import Any

import pytest
from nbconvert.filters.markdown_mistune import MarkdownWithMath

from entrypoint.lab.pdf import WithMath, for_paper


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({"text/html": "<table></table>", "text/plain": "a"}, {"text/html": "<table></table>"}),
        # What a script would draw, nobody would see.
        ({"text/html": "<script>draw()</script>", "image/png": "abc", "text/plain": "a"}, {"image/png": "abc"}),
        ({"text/html": "<script>draw()</script>", "text/plain": "a"}, {"text/plain": "a"}),
        ({"text/latex": "$$x < y$$", "text/plain": "a"}, {"text/html": '<div class="tex">x &lt; y</div>'}),
        ({"application/vnd.plotly.v1+json": {}}, {}),
    ],
)
def test_an_output_is_what_can_be_seen_without_a_script(data: dict[str, Any], shown: dict[str, Any]) -> None:
    assert dict(for_paper(data)) == shown


def test_formulas_stand_apart_from_prices() -> None:
    html = MarkdownWithMath(renderer=WithMath(escape=False)).render("It costs \\$5, and $x<y$.\n\n$$z$$")
    assert "It costs $5" in html
    assert '<span class="tex">x&lt;y</span>' in html
    assert '<div class="tex">z</div>' in html
