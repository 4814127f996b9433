"""The order of the images' layers."""

from __future__ import annotations

import re
from pathlib import Path

DOCKERFILE = Path(__file__).parents[2] / "Dockerfile"
INSTALLS = "conda (env )?create|pip install|apt-get install|server-packages /"


def test_a_change_to_the_entrypoint_installs_nothing_again() -> None:
    text = re.sub(r"(?m)^\s*#.*\n", "", DOCKERFILE.read_text())
    stages = re.split(r"(?m)^FROM ", text.replace("\\\n", " "))[1:]
    names = [stage.split("\n")[0].rpartition(" AS ")[2] for stage in stages]
    assert names == [
        "common", "server", "world", "kernels", "compressor", "labextension", "pages", "lab", "sync", "cluster", "door",
    ]  # fmt: skip
    assert sum(len(places(stage, INSTALLS)) for stage in stages) >= 5
    for name, stage in zip(names, stages, strict=True):
        copies = places(stage, "^(COPY|ADD) (--from=kernels |entrypoint|[.])")
        assert bool(copies) == (name in ("kernels", "lab", "sync", "cluster", "door"))
        assert all(copy > max(places(stage, f"{INSTALLS}|/compress "), default=-1) for copy in copies)


def places(stage: str, pattern: str) -> list[int]:
    return [place for place, step in enumerate(stage.splitlines()) if re.search(pattern, step)]


def test_a_change_to_the_kernels_code_is_no_reason_to_install_or_compress_what_stands_beside_it() -> None:
    assert not re.search(r"(?m)^FROM kernels", DOCKERFILE.read_text())


def test_a_change_to_the_default_kernel_s_world_is_no_reason_to_make_jupyterlab_s_pages_anew() -> None:
    text = DOCKERFILE.read_text()
    assert re.search(r"(?m)^FROM server AS pages", text) and re.search(r"(?m)^FROM common AS server", text)
    assert not re.search("(?s)FROM server AS pages.*?(environment.yml|apt.txt|from=world).*?FROM world AS lab", text)
