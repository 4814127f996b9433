"""What pip had installed for another Python, and what becomes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from entrypoint.home.lacking import Package, explain, lacks_any, list_of, read_list, tell
from entrypoint.home.reinstall import NoIndexError, reinstall

NONE_FOUND = "No matching distribution found"


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """One that was made for Python 3.13, and that an update has moved to 3.14."""
    python = tmp_path / "image" / "python3.14"
    python.parent.mkdir()
    python.touch()
    for each in ("python3.13", "python3.14"):
        (tmp_path / "venv" / "lib" / each / "site-packages").mkdir(parents=True)
    (tmp_path / "venv" / "bin").mkdir()
    (tmp_path / "venv" / "bin" / "python").symlink_to(python)
    return tmp_path / "venv"


def install(venv: Path, name: str, version: str, *files: str, python: str = "python3.13") -> None:
    """As pip leaves a package."""
    folder = venv / "lib" / python / "site-packages" / f"{name}-{version}.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (folder / "INSTALLER").write_text("pip\n")
    (folder / "RECORD").write_text("".join(f"{file},,\n" for file in (*files, f"{folder.name}/METADATA")))


class Index:
    """A pip that installs what it is asked for, all or nothing, unless it has a reason against one of them."""

    def __init__(self, venv: Path, without: tuple[str, ...] = (), is_there: bool = True) -> None:
        self.venv, self.without, self.is_there = venv, without, is_there
        self.asked: list[str] = []

    def __call__(self, requirements: str) -> str | None:
        lines = requirements.splitlines()
        self.asked.append(" ".join(lines))
        if not self.is_there:
            raise NoIndexError
        for line in lines:
            if line in self.without:
                return f"{NONE_FOUND} for {line}"
        for line in lines:
            name, _, version = line.partition("==")
            install(self.venv, name, version or "9", python="python3.14")
        return None


def test_nothing_is_done_where_one_python_was_ever_there(venv: Path) -> None:
    (venv / "lib" / "python3.13" / "site-packages").rmdir()
    assert not lacks_any(venv)
    assert list(reinstall(venv, Index(venv))) == []


def test_all_is_installed_at_once_where_it_can_be_had(venv: Path) -> None:
    install(venv, "cowsay", "6.1", "cowsay/__init__.py")
    install(venv, "tqdm", "4.66", "tqdm/__init__.py")
    assert lacks_any(venv)
    index = Index(venv)
    told = list(reinstall(venv, index))
    assert index.asked == ["cowsay==6.1 tqdm==4.66"]
    assert told == [
        "2 packages that you had installed for another Python: being installed for Python 3.14 now.",
        "2 packages installed for Python 3.14. What they were is kept in ~/venv/lib/python3.13; "
        "to delete it: rm -r ~/venv/lib/python3.13",
    ]
    assert not lacks_any(venv)
    assert list(tell(venv)) == []


def test_what_can_not_be_had_is_named_with_its_reason_and_the_rest_is_installed(venv: Path) -> None:
    install(venv, "cowsay", "6.1", "cowsay/__init__.py")
    install(venv, "Old_Thing", "1.0", "oldthing.py", "oldthing_more/__init__.py")
    told = list(reinstall(venv, Index(venv, without=("Old_Thing==1.0", "Old_Thing"))))
    assert told[1].startswith("1 package installed for Python 3.14.")
    assert told[2] == f"Old_Thing is not there for Python 3.14: {NONE_FOUND} for Old_Thing==1.0"
    assert told[3] == "To try again, in a terminal of JupyterLab: pip install -r ~/venv/lacking-python3.14.txt"
    assert [each.modules for each in read_list(venv)] == [("oldthing", "oldthing_more")]
    assert "Old_Thing" in next(tell(venv))
    assert NONE_FOUND in str(explain(venv, "oldthing_more"))
    assert explain(venv, "cowsay") is None


def test_a_newer_release_takes_the_place_of_one_that_this_python_has_not(venv: Path) -> None:
    install(venv, "numpy", "1.26", "numpy/__init__.py")
    index = Index(venv, without=("numpy==1.26",))
    assert len(list(reinstall(venv, index))) == 2
    assert index.asked == ["numpy==1.26", "numpy==1.26", "numpy"]


def test_without_an_index_all_is_left_for_later(venv: Path) -> None:
    for name in ("cowsay", "tqdm"):
        install(venv, name, "1", f"{name}.py")
    index = Index(venv, is_there=False)
    assert "tqdm is not there for Python 3.14: no package index answers" in list(reinstall(venv, index))
    assert len(index.asked) == 1
    assert lacks_any(venv)
    assert "no package index answers" in str(explain(venv, "tqdm"))
    list(reinstall(venv, Index(venv)))
    assert not lacks_any(venv)


def test_what_a_person_installs_by_hand_is_missed_no_more(venv: Path) -> None:
    install(venv, "Old_Thing", "1.0", "oldthing.py")
    list(reinstall(venv, Index(venv, is_there=False)))
    install(venv, "old.thing", "2.0", python="python3.14")
    assert list(tell(venv)) == []
    assert explain(venv, "oldthing") is None


def test_what_a_person_uninstalls_afterwards_stays_away(venv: Path) -> None:
    install(venv, "cowsay", "6.1", "cowsay.py")
    list(reinstall(venv, Index(venv)))
    for file in (folder := venv / "lib/python3.14/site-packages/cowsay-6.1.dist-info").iterdir():
        file.unlink()
    folder.rmdir()
    assert not lacks_any(venv)
    assert list(reinstall(venv, Index(venv))) == []


@pytest.mark.parametrize("content", [b"\xff", b"a line of something else\n", b"x" * (1 << 21)])
def test_whatever_stands_in_the_list_s_place_is_no_list(venv: Path, content: bytes) -> None:
    list_of(venv).write_bytes(content)
    assert read_list(venv) == []


@pytest.mark.parametrize(
    "package",
    [
        Package("cowsay==6.1", ("cowsay",)),
        Package("own @ git+https://example.org/own@1234", ("own", "own_more"), "it: is # not, there"),
        Package("empty==1", (), "why"),
    ],
)
def test_a_line_of_the_list_says_what_was_written(venv: Path, package: Package, request: pytest.FixtureRequest) -> None:
    list_of(venv).write_text(f"{package.line}\n")
    assert read_list(venv) == [package]
