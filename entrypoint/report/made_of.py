"""Whether published images are what the clone would build: compose/published.yml shows its files to the door."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from entrypoint.files.errors import Problem
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted

FILES = ("environment.yml", "apt.txt", "Dockerfile")


def differences(places: Places) -> Iterator[Problem]:
    """A line for each file by which the clone's images would be others; none where the images are the clone's own."""
    for name in FILES:
        ours, made_of = _content(places.clone / name), _content(places.made_of / name)
        if ours is not None and ours != made_of:
            yield Problem(
                f"{name} is not the one that the published images were made of, and does nothing.",
                "To run images of your own, take compose/published.yml out of COMPOSE_FILE in .env, then: "
                "docker compose up -d --build   To go on with the published ones: git checkout " + name,
            )


def _content(path: Path) -> bytes | None:
    try:
        return read_untrusted(path)
    except OSError:
        return None
