"""The order of the image's layers."""

from __future__ import annotations

import re
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"


def test_a_change_to_the_entrypoint_installs_nothing_again() -> None:
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text())
    steps = text.replace("\\\n", " ").splitlines()
    installs = places(steps, "conda (env )?create|pip install|apt-get install")
    copies = places(steps, "^(COPY|ADD) (entrypoint|[.]) ")
    assert len(installs) >= 3
    assert len(copies) == 1
    assert copies[0] > installs[-1]


def places(steps: list[str], pattern: str) -> list[int]:
    return [place for place, step in enumerate(steps) if re.search(pattern, step)]
