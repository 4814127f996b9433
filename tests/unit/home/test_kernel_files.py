"""What a `kernel.json` comes to: the program of its own environment, or a reason against it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.home.kernel_files import environment_kernel, read_kernel, registered_kernel

ARGUMENTS = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


def kernel_in(prefix: Path, program: str = "python", **fields: object) -> Path:
    file = prefix / "share/jupyter/kernels/python3/kernel.json"
    file.parent.mkdir(parents=True)
    file.write_text(json.dumps({"argv": [program, *ARGUMENTS], "display_name": "Python 3 (ipykernel)", **fields}))
    return file


def program_in(prefix: Path, name: str = "python", mode: int = 0o755) -> Path:
    program = prefix / "bin" / name
    program.parent.mkdir(parents=True, exist_ok=True)
    program.touch()
    program.chmod(mode)
    return program


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    return tmp_path / "My Project" / ".venv"


@pytest.mark.parametrize("named", ["python", "python3.12", "/home/ada/project/.venv/bin/python", "{prefix}/bin/python"])
def test_the_environment_s_own_python_runs_however_it_is_named(prefix: Path, tmp_path: Path, named: str) -> None:
    own = program_in(prefix, Path(named).name)
    name, kernel = environment_kernel(prefix, kernel_in(prefix, named), tmp_path)
    assert (name, kernel["argv"]) == ("my-project-python3", [str(own), *ARGUMENTS])
    assert kernel["display_name"] == "Python 3 [My Project]"
    assert kernel["env"]["PATH"].startswith(f"{prefix}/bin:")


@pytest.mark.parametrize(
    ("place", "label"),
    [("work/.venv", "work"), ("work/venv", "work"), ("work/env", "work"), ("work/py312", "py312"), ("envs/env", "env")],
)
def test_an_environment_is_called_as_people_know_it(tmp_path: Path, place: str, label: str) -> None:
    prefix = tmp_path / place
    program_in(prefix)
    name, kernel = environment_kernel(prefix, kernel_in(prefix), tmp_path)
    assert (name, kernel["display_name"]) == (f"{label}-python3", f"Python 3 [{label}]")


@pytest.mark.parametrize("named", ["python", "python3", "python3.13", "pypy3", sys.executable, "/usr/bin/python3"])
def test_no_other_python_runs_in_its_place(prefix: Path, tmp_path: Path, named: str) -> None:
    with pytest.raises(ValueError, match=r"bin/.*isn't in the container\. Make one here.* -n my-project python ipyk"):
        environment_kernel(prefix, kernel_in(prefix, named), tmp_path)


def test_a_link_that_leads_nowhere_is_told_with_its_end(prefix: Path, tmp_path: Path) -> None:
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").symlink_to("python3")
    (prefix / "bin/python3").symlink_to("/opt/of-the-host/python3.12")
    with pytest.raises(ValueError, match=r"leads to '/opt/of-the-host/python3\.12', which isn't in the container"):
        environment_kernel(prefix, kernel_in(prefix), tmp_path)


def test_a_python_that_can_t_be_run_is_told(prefix: Path, tmp_path: Path) -> None:
    program_in(prefix, mode=0o644)
    with pytest.raises(ValueError, match="bin/python', can't be run in the container"):
        environment_kernel(prefix, kernel_in(prefix), tmp_path)


def test_another_program_than_a_python_may_serve_any_environment(prefix: Path, tmp_path: Path) -> None:
    _, kernel = environment_kernel(prefix, kernel_in(prefix, "sh"), tmp_path)
    assert os.path.isabs(kernel["argv"][0])
    with pytest.raises(ValueError, match="its program, 'no-such-program', isn't in the container"):
        registered_kernel(kernel_in(tmp_path, "no-such-program"))


@pytest.mark.parametrize("named", ["python", "python3", f"python3.{sys.version_info[1]}"])
def test_a_registered_kernel_s_bare_python_is_the_terminal_s(tmp_path: Path, named: str) -> None:
    own = program_in(tmp_path, named)
    kernel = registered_kernel(kernel_in(tmp_path, named, env={"PATH": f"{own.parent}:${{PATH}}"}))
    assert kernel["argv"] == [str(own), *ARGUMENTS]


@pytest.mark.parametrize("named", [sys.executable, "{prefix}/bin/python", f"{sys.prefix}/lib/../bin/python"])
def test_no_registered_kernel_runs_in_the_server_s_python(tmp_path: Path, named: str) -> None:
    with pytest.raises(ValueError, match="the server's own Python"):
        registered_kernel(kernel_in(tmp_path, named))


def test_a_resource_of_the_kernel_s_own_is_found(tmp_path: Path) -> None:
    file = kernel_in(tmp_path, "{resource_dir}/start")
    (file.parent / "start").touch(mode=0o755)
    assert registered_kernel(file)["argv"][0] == str(file.parent / "start")


def make_sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 1 << 34)


ODDITIES: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "dangling": lambda path: path.symlink_to("/nowhere"),
    "circle": lambda path: path.symlink_to(path),
    "folder": lambda path: path.mkdir(),
    "long": lambda path: path.write_bytes(b" " * (1 << 20) + b"{}"),
    "sparse": make_sparse,
    "not UTF-8": lambda path: path.write_bytes(b'{"argv": ["\xff"]}'),
    "deep": lambda path: path.write_text("[" * 200_000),
    "a list": lambda path: path.write_text("[]"),
    "no argv": lambda path: path.write_text("{}"),
    "empty argv": lambda path: path.write_text('{"argv": []}'),
    "argv of numbers": lambda path: path.write_text('{"argv": [1]}'),
    "argv as text": lambda path: path.write_text('{"argv": "python"}'),
    "name as number": lambda path: path.write_text('{"argv": ["sh"], "display_name": 1}'),
    "env as list": lambda path: path.write_text('{"argv": ["sh"], "env": []}'),
    "env of numbers": lambda path: path.write_text('{"argv": ["sh"], "env": {"A": 1}}'),
}


@pytest.mark.parametrize("plant", ODDITIES.values(), ids=ODDITIES.keys())
def test_whatever_stands_in_a_kernel_file_s_place_is_refused_at_once(
    tmp_path: Path, plant: Callable[[Path], object]
) -> None:
    file = tmp_path / "kernel.json"
    plant(file)
    begin = time.monotonic()
    with pytest.raises((OSError, ValueError)):
        read_kernel(file)
    assert time.monotonic() - begin < 2


def test_a_kernel_file_may_be_a_link_as_packages_make_them(tmp_path: Path) -> None:
    file = kernel_in(tmp_path, "sh")
    link = tmp_path / "kernel.json"
    link.symlink_to(file)
    assert read_kernel(link) == read_kernel(file)
