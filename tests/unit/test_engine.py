"""host/engine: which Docker serves, and what is said of one that is too old."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "host" / "engine"
# Old engines can't be had here, so one that says it is old stands in.
DOCKER = """#!/bin/sh
case "$*" in
*Server.APIVersion*) echo "{api}" ;;
*Server.Version*) echo "{engine}" ;;
"compose version --short") echo "{compose}" ;;
esac
"""


def check(folder: Path, api: str, engine: str, compose: str) -> subprocess.CompletedProcess[str]:
    """Runs host/engine as somebody who may install nothing."""
    programs = {"docker": DOCKER.format(api=api, engine=engine, compose=compose), "id": "#!/bin/sh\necho 1000\n"}
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    environ = {"PATH": f"{folder}{os.pathsep}{os.defpath}"}
    return subprocess.run(["sh", str(ENGINE)], env=environ, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("versions", [("1.45", "26.1.5+dfsg1", "2.26.1-4"), ("1.44", "25.0.0", "v2.24.0")])
def test_docker_that_is_new_enough_is_taken_without_a_word(tmp_path: Path, versions: tuple[str, str, str]) -> None:
    result = check(tmp_path, *versions)
    assert (result.returncode, result.stderr) == (0, "")


@pytest.mark.parametrize(
    ("versions", "reason"),
    [
        (("1.43", "24.0.9", "2.26.1"), "The Docker engine here is 24.0.9, which is too old."),
        (("1.9", "1.9.1", "2.26.1"), "The Docker engine here is 1.9.1, which is too old."),
        (("1.45", "26.1.5", "v2.21.0"), "Docker Compose is 2.21.0 here, which is too old."),
    ],
)
def test_docker_that_is_too_old_is_named_and_left_alone(
    tmp_path: Path, versions: tuple[str, str, str], reason: str
) -> None:
    result = check(tmp_path, *versions)
    first, *remedies = result.stderr.splitlines()
    assert result.returncode == 1
    assert first == f"{reason} Workhorse needs Docker Engine 25 or newer, with Compose 2.24 or newer."
    assert remedies[0].startswith("Update it")
