"""A person's own extensions in JupyterLab's server: what is loaded, what is left out, and what is told of it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from entrypoint.files.errors import WorkhorseError
from entrypoint.home.extensions import Extensions, LeftOut, tell
from entrypoint.kernels.extensions import needed, wanted_after
from entrypoint.lab.extensions import ENDED, Guests


@pytest.fixture
def extensions(tmp_path: Path) -> Extensions:
    """With two that the server is to load."""
    extensions = Extensions.of(tmp_path)
    folder = extensions.folder / "generation" / "etc/jupyter/jupyter_server_config.d"
    folder.mkdir(parents=True)
    for name in ("one", "two"):
        config = {"ServerApp": {"jpserver_extensions": {name: True}}}
        (folder / f"{name}.json").write_text(json.dumps(config))
    extensions.current.symlink_to("generation")
    extensions.asked.write_text("one\ntwo\n")
    extensions.site.mkdir(parents=True)
    return extensions


def test_what_took_a_server_with_it_is_not_loaded_again_until_something_is_installed(extensions: Extensions) -> None:
    # Where the server before this one ended.
    extensions.loading.write_text("one")
    for _ in range(2):
        guests, said = Guests(extensions), list[str]()
        assert guests.left_out == {"one": LeftOut(ENDED, is_fatal=True)}
        assert (guests.has("one"), guests.has("json")) == (False, True)
        guests.report(said.append)
        assert said == list(tell(extensions.folder.parents[3]))
        assert said[0].startswith("JupyterLab runs without the extension one: it ended JupyterLab's server")
    (extensions.folder / "generation").rename(extensions.folder / "another")
    extensions.current.unlink()
    extensions.current.symlink_to("another")
    assert Guests(extensions).left_out == {}


def test_one_that_raised_is_tried_again_at_the_next_start(extensions: Extensions) -> None:
    extensions.tell({"two": LeftOut("ValueError: no such colour")})
    assert Guests(extensions).left_out == {}
    assert Guests(extensions).modules == ["one", "two"]


@pytest.mark.parametrize("damage", ["", "[]", '{"generation": "generation", "left_out": [1]}', "[" * 200_000])
def test_a_damaged_report_leaves_nothing_out(extensions: Extensions, damage: str) -> None:
    extensions.report.write_text(damage)
    assert Guests(extensions).left_out == {}


def test_another_python_is_told(extensions: Extensions) -> None:
    extensions.site.parent.rename(extensions.site.parents[1] / "python3.1")
    (line,) = tell(extensions.folder.parents[3])
    assert line.endswith("In a terminal: workhorse extension update")


def found(name: str, *requires: str) -> dict[str, Any]:
    return {"metadata": {"name": name, "version": "1.0", "requires_dist": list(requires)}}


def test_what_the_server_has_is_not_installed_nor_what_that_alone_asks_for() -> None:
    report = {
        "install": [
            found("jupyterlab_git", "jupyterlab>=4", "nbdime~=4.0; python_version > '3'"),
            found("nbdime", "GitPython", "jupyterlab"),
            found("GitPython"),
            found("jupyterlab", "ipykernel", "tornado"),
            found("ipykernel"),
        ]
    }
    assert needed({"jupyterlab-git"}, report, {"jupyterlab": "4.6.6"}) == [
        "gitpython==1.0", "jupyterlab-git==1.0", "nbdime==1.0",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("verb", "names", "wanted"),
    [
        ("install", ["c"], ["a==1", "B", "c"]),
        ("install", ["A"], ["A", "B"]),
        ("remove", ["b"], ["a==1"]),
        ("update", [], ["a==1", "B"]),
    ],
)
def test_the_last_word_on_a_package_counts(verb: str, names: Sequence[str], wanted: list[str]) -> None:
    assert wanted_after(verb, names, ["a==1", "B"]) == wanted


@pytest.mark.parametrize("name", ["-r", "a b", "a @ https://example.org/a.whl", "../a", "", "a;b"])
def test_what_is_no_name_is_refused(name: str) -> None:
    with pytest.raises(WorkhorseError, match="is not the name of a package"):
        wanted_after("install", [name], [])
    with pytest.raises(WorkhorseError, match="is not installed"):
        wanted_after("remove", ["d"], ["a"])
