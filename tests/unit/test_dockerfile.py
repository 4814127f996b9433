"""The order of the images' layers."""

from __future__ import annotations

import re
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
INSTALLS = "conda (env )?create|pip install|apt-get install|server-packages /"


def test_a_change_to_the_entrypoint_installs_nothing_again() -> None:
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text())
    stages = re.split(r"(?m)^FROM ", text.replace("\\\n", " "))[1:]
    assert [stage.split("\n")[0].rpartition(" AS ")[2] for stage in stages] == ["common", "kernels", "lab", "door"]
    assert sum(len(places(stage, INSTALLS)) for stage in stages) >= 5
    for stage in stages[1:]:
        copies = places(stage, "^(COPY|ADD) (entrypoint|[.])")
        assert copies
        assert copies[0] > max(places(stage, INSTALLS))
    assert not places(stages[0], "^(COPY|ADD) (entrypoint|[.])")


def places(stage: str, pattern: str) -> list[int]:
    return [place for place, step in enumerate(stage.splitlines()) if re.search(pattern, step)]
