"""Settings, env.example and README say the same."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml
from dotenv import dotenv_values

from entrypoint.settings.settings import Settings

REPOSITORY = Path(__file__).parents[2]
NAMES = [field.name.upper() for field in fields(Settings)]
DEFAULTS = {field.name.upper(): field.metadata["default"] for field in fields(Settings)}
COMPOSE = yaml.safe_load((REPOSITORY / "docker-compose.yml").read_text())
SYNC = yaml.safe_load((REPOSITORY / "compose" / "sync.yml").read_text())
DOOR, LAB, KERNELS = "workhorse", "lab", "kernels"
OF_KERNELS, OF_JUPYTER, OF_ALL = {"MEMORY_LIMIT"}, {"REPOSITORIES"}, {"BASE_IMAGE", "CA_FILE"}


def test_env_example_holds_every_setting_in_order_with_a_comment_of_one_line() -> None:
    lines = (REPOSITORY / "env.example").read_text().splitlines()
    settings = [
        (number, line.lstrip("#").split("=")[0]) for number, line in enumerate(lines) if re.match("#?[A-Z_]+=", line)
    ]
    assert [name for _, name in settings] == NAMES
    for number, _ in settings:
        assert lines[number - 1].startswith("# ")
        assert not lines[number - 2].startswith("# ")
        assert len(lines[number - 1]) <= 120


def test_env_example_shows_the_defaults() -> None:
    values = dotenv_values(REPOSITORY / "env.example")
    assert values == {name: default for name, default in DEFAULTS.items() if name != "BASE_IMAGE"}


def test_env_example_keeps_the_password_between_single_quotes() -> None:
    assert "\nJUPYTER_PASSWORD=''\n" in (REPOSITORY / "env.example").read_text()


def test_the_readme_s_table_holds_every_setting_in_order() -> None:
    table = re.findall(r"^\| `([A-Z_]+)` \| (?:`([^`]*)`)?", (REPOSITORY / "README.md").read_text(), re.MULTILINE)
    assert [name for name, _ in table] == NAMES
    assert {name: default for name, default in table if name != "BASE_IMAGE"} == {
        name: default for name, default in DEFAULTS.items() if name != "BASE_IMAGE"
    }


def test_the_readme_is_short_and_starts_quickly() -> None:
    text = (REPOSITORY / "README.md").read_text()
    assert any("docker compose up -d" in line for line in text.splitlines()[:10])
    optional = r"(?=## In step with)|(?=## Certificates that)|(?=## Through an ssh)"
    before, in_step, certificates, after = re.split(optional, text)
    assert words(in_step) <= 120
    assert words(certificates) <= 200
    assert words(before + after) < 750


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "SECURITY.md",
        "CONTRIBUTING.md",
        "docs/architecture.md",
        "docs/closed-laptop.md",
        "docs/cluster.md",
        "docs/environments.md",
        "docs/first-hour.md",
        "docs/jupyterlab.md",
        "docs/published.md",
        "docs/sync.md",
    ],
)
def test_every_file_that_a_page_names_is_there(page: str) -> None:
    text = (REPOSITORY / page).read_text()
    named = re.findall(r"`((?:[\w-]+/)+[\w-]+\.\w+)`", text)
    named += [Path(page).parent / each for each in re.findall(r"\]\((?!https?:)([^)#]+)\)", text)]
    rooms = REPOSITORY / "entrypoint"
    assert [str(each) for each in named if not any((top / each).exists() for top in (REPOSITORY, rooms))] == []


def words(text: str) -> int:
    """What is read as prose and tables; commands are typed, not read."""
    return len(re.sub(r"```.*?```|!\[.*?\]\(.*?\)|[|#]|---", "", text, flags=re.DOTALL).split())


def test_compose_gives_each_setting_to_whom_it_concerns() -> None:
    assert settings_of(LAB) == OF_JUPYTER | OF_ALL
    assert settings_of(KERNELS) == OF_KERNELS | OF_JUPYTER | OF_ALL
    # The door names the others' in what it says of them.
    assert settings_of(DOOR) == set(NAMES)


def test_the_service_that_syncs_is_given_its_own_settings_and_no_secret() -> None:
    definition = SYNC["services"]["sync"]
    named = {name for name in NAMES if re.search(rf"\b{name}\b", str(definition))}
    assert named == {"BIND_ADDRESS", "REPOSITORIES", "SYNC_PORT", "SYNC_DISCOVERY", "SYNC_GIT", "BASE_IMAGE"}
    assert not {"env_file", "secrets"} & set(definition)
    assert definition["networks"] == ["sync"]


def test_nothing_of_env_reaches_notebooks() -> None:
    kernels = COMPOSE["services"][KERNELS]
    assert [each["path"] for each in kernels["env_file"]] == ["lab.env"]
    for service in (kernels, COMPOSE["services"][LAB]):
        assert set(service["environment"]) <= OF_JUPYTER


def test_what_docker_keeps_is_named_after_the_clone_s_folder() -> None:
    """Or the second clone on a machine would replace the first's containers."""
    assert "name" not in COMPOSE
    for definition in COMPOSE["services"].values():
        assert "container_name" not in definition
        assert definition["image"].startswith("${COMPOSE_PROJECT_NAME}")


def settings_of(service: str) -> set[str]:
    """Those that stand in a service, or in a secret that it is given."""
    definition = COMPOSE["services"][service]
    text = str([definition, *(COMPOSE["secrets"][each] for each in definition["secrets"])])
    return {name for name in NAMES if re.search(rf"\b{name}\b", text)}
