"""What makes a project's environment, by the files that the project has."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.files.errors import WorkhorseError
from entrypoint.kernels.project import CONDA, plan, slug, venv_for


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "My project"
    folder.mkdir()
    return folder


def have(folder: Path, **files: str) -> None:
    for name, content in files.items():
        (folder / name.replace("__", ".")).write_text(content)


def run_here(prefix: Path) -> None:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin" / "python").touch(0o755)


@pytest.mark.parametrize(
    ("content", "name"),
    [
        ("name: course\ndependencies: [python]\n", "course"),
        ("dependencies: [python]\n", "My-project"),
        ("name: [a, b]\n", "My-project"),
        ("name: a/../b c\n", "a-..-b-c"),
        ("[" * 5000, "My-project"),
        (": no yaml at all\n\t", "My-project"),
    ],
)
def test_conda_makes_an_environment_by_its_name_or_the_project_s(folder: Path, content: str, name: str) -> None:
    have(folder, environment__yml=content, requirements__txt="")
    todo = plan(folder, folder.parent)
    assert todo.prefix == folder.parent / ".conda" / "envs" / name
    assert todo.commands == ([CONDA, "env", "create", "-y", "-n", name, "-f", "environment.yml"],)


def test_what_conda_has_made_it_brings_up_to_date(folder: Path) -> None:
    have(folder, environment__yaml="name: course\n")
    (folder.parent / ".conda/envs/course/conda-meta").mkdir(parents=True)
    assert plan(folder, folder.parent).commands == ([CONDA, "env", "update", "-n", "course", "-f", "environment.yaml"],)


@pytest.mark.parametrize(
    ("file", "last"),
    [
        ("requirements.txt", ["-m", "pip", "install", "--disable-pip-version-check", "-r", "requirements.txt"]),
        ("pyproject.toml", ["-m", "pip", "install", "--disable-pip-version-check", "-e", "."]),
        ("uv.lock", ["-m", "uv", "sync", "--active", "--frozen", "--inexact"]),
    ],
)
def test_pip_and_uv_install_into_the_project_s_own_folder(folder: Path, file: str, last: list[str]) -> None:
    (folder / file).touch()
    todo = plan(folder, folder.parent)
    assert (todo.source, todo.prefix) == (file, folder / ".venv")
    assert todo.commands[0][1:] == ["-m", "venv", str(folder / ".venv")]
    assert todo.commands[-1] == [str(folder / ".venv/bin/python"), *last]
    run_here(folder / ".venv")
    assert "venv" not in [command[2] for command in plan(folder, folder.parent).commands]


def test_an_environment_that_the_host_has_made_is_left_alone(folder: Path) -> None:
    for name, other in ((".venv", "venv"), ("venv", "env")):
        (folder / name / "bin").mkdir(parents=True)
        (folder / name / "bin/python").symlink_to("/opt/of-the-host/python3.12")
        assert venv_for(folder) == folder / other
    run_here(folder / "env")
    assert venv_for(folder) == folder / "env"
    (folder / "env/bin/python").unlink()
    with pytest.raises(WorkhorseError, match="were made elsewhere"):
        venv_for(folder)


def test_without_such_a_file_there_is_one_line_that_names_them(folder: Path) -> None:
    (folder / "requirements.txt").mkdir()
    with pytest.raises(WorkhorseError, match=r"environment.yml, uv.lock, requirements.txt, pyproject.toml") as error:
        plan(folder, folder.parent)
    assert "conda create -n My-project python ipykernel" in str(error.value)


@pytest.mark.parametrize(
    ("text", "name"), [("a b", "a-b"), ("!!", "project"), ("läs 2", "l-s-2"), ("ok_1.0", "ok_1.0")]
)
def test_a_name_is_one_that_conda_takes(text: str, name: str) -> None:
    assert slug(text) == name
