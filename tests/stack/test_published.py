"""Published images in the place of one's own: nothing is built, and what one has edited is told to do nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import PASSWORD
from tests.stacks import FILES, REPOSITORY, Stack, new_stack, prepared

PUBLISHED = REPOSITORY / "compose" / "published.yml"
TOLD = "environment.yml is not the one that the published images were made of, and does nothing."


class PublishedStack(Stack):
    # The tests' images stand for those that would be pulled.
    more_files = (PUBLISHED, FILES[-1])


@pytest.mark.parametrize("more", [[], ["sync"], ["cluster"]], ids=str)
def test_every_service_runs_a_published_image_and_nothing_is_built(more: list[str]) -> None:
    names = ["published", *(name for each in more for name in (each, f"published-{each}"))]
    services = config("docker-compose.yml", *(f"compose/{name}.yml" for name in names))["services"]
    assert all(service["image"].startswith("ghcr.io/workhorse-notebooks/workhorse") for service in services.values())
    assert not [name for name, service in services.items() if "build" in service]


def config(*files: str) -> dict[str, Any]:
    """As Compose understands the files."""
    command = ["docker", "compose", *(word for file in files for word in ("-f", file)), "--env-file", os.devnull]
    said = subprocess.run([*command, "config"], cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    found: dict[str, Any] = yaml.safe_load(said)
    return found


def test_what_is_edited_beside_published_images_is_told_before_and_after_the_start(tmp_path: Path) -> None:
    plain = new_stack(tmp_path, JUPYTER_PASSWORD=PASSWORD)
    stack = PublishedStack(plain.folder, plain.project, plain.port)
    for name in ("Dockerfile", "apt.txt", "environment.yml"):
        shutil.copy(REPOSITORY / name, stack.folder)
    with prepared(stack):
        # As the README's line has it; what is there already is neither pulled nor built.
        stack.compose("up", "-d", "--build", "--wait")
        assert "published images" not in stack.log() + stack.workhorse("status")
        with (stack.folder / "environment.yml").open("a") as file:
            file.write("  - a-package-of-mine\n")
        refused = stack.compose("run", "--rm", "-T", "workhorse", "check", check=False)
        assert refused.returncode == 1
        assert TOLD in refused.stderr
        assert "docker compose up -d --build" in refused.stderr
        stack.compose("restart", "-t", "1", "workhorse")
        stack.told(TOLD)
        assert TOLD in stack.workhorse("status")
