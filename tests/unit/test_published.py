"""The images that are published: whoever asks for them is given nothing else, and knows where they differ."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from entrypoint.backup.archive import VERSION
from entrypoint.files.places import Places
from entrypoint.report.made_of import FILES, differences

REPOSITORY = Path(__file__).parents[2]
PUBLISHED = sorted((REPOSITORY / "compose").glob("published*.yml"))
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
IMAGE = re.compile(r"^ +image: (\S+)$", re.MULTILINE)


def published_places(root: Path, ours: str, published: str) -> Places:
    places = Places(root)
    for folder, content in ((places.clone, ours), (places.made_of, published)):
        folder.mkdir(parents=True)
        for name in FILES:
            (folder / name).write_text(content)
    return places


def test_where_the_clone_would_build_something_else_that_is_told(tmp_path: Path) -> None:
    assert list(differences(Places(tmp_path / "built"))) == []
    assert list(differences(published_places(tmp_path / "same", "a", "a"))) == []
    places = published_places(tmp_path / "edited", "a", "a")
    (places.clone / "environment.yml").write_text("mine")
    (problem,) = differences(places)
    assert problem.what.startswith("environment.yml is not the one that the published images were made of")
    assert "docker compose up -d --build" in problem.remedy


@pytest.mark.parametrize("file", PUBLISHED, ids=lambda file: file.name)
def test_published_images_are_of_this_version_and_never_take_what_one_has_built(file: Path) -> None:
    text = file.read_text()
    images = IMAGE.findall(text)
    assert images
    assert {image.partition(":")[2] for image in images} == {VERSION}
    assert {image.rpartition("/")[0] for image in images} == {"ghcr.io/workhorse-notebooks"}
    assert len(images) == text.count("build: !reset null") == text.count("pull_policy: missing")


def test_the_image_names_the_same_version() -> None:
    assert f'org.opencontainers.image.version="{VERSION}"' in (REPOSITORY / "Dockerfile").read_text()


def test_every_action_is_pinned_by_its_commit() -> None:
    used = [each for file in WORKFLOWS for each in re.findall(r"uses: (.*)", file.read_text())]
    assert used
    assert [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", each)] == []


def test_nothing_is_published_before_the_tests() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/release.yml").read_text())["jobs"]
    steps = [each.get("run", "") for each in jobs["test"]["steps"]]
    tests = next(number for number, run in enumerate(steps) if ".ci/run" in run)
    assert [number for number, run in enumerate(steps) if "push" in run] == [len(steps) - 1]
    assert tests < len(steps) - 1
    assert (jobs["publish"]["needs"], jobs["branch"]["needs"]) == ("test", "publish")
