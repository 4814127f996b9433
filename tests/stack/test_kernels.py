"""Kernels and environments, in the running stack."""

from __future__ import annotations

import os

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import Stack


def test_what_a_notebook_writes_belongs_to_the_owner_of_the_folder(stack: Stack, client: Client) -> None:
    client.run("open('result.txt', 'w').write('42')")
    status = (stack.repositories / "result.txt").stat()
    assert (status.st_uid, status.st_gid) == (1000, 1000)
    assert (stack.repositories / "result.txt").read_text() == "42"


def test_the_scientific_stack_is_there(client: Client) -> None:
    packages = "numpy, scipy, pandas, matplotlib, sklearn, ipywidgets, sympy, networkx, h5py, pyarrow, sqlalchemy"
    assert client.run(f"import {packages}\nprint('all there')") == "all there\n"


def test_the_kernel_sees_nothing_of_the_server(client: Client) -> None:
    printed = client.run("import sys, os; print(sys.path, os.environ['PATH'], sys.executable)")
    assert "/opt/server" not in printed
    assert "/opt/workhorse" not in printed


def test_no_setting_and_no_password_reaches_a_kernel(client: Client) -> None:
    names = client.run("import os; print(sorted(os.environ))")
    assert "HOME" in names
    for name in ("JUPYTER_PASSWORD", "SERVER_NAMES", "BIND_ADDRESS", "REPOSITORIES", "CA_FILE", "'PORT'"):
        assert name not in names
    assert PASSWORD not in client.run("import os; print(os.environ)")
    look_around = """
import glob
for file in glob.glob('/proc/[0-9]*/environ') + glob.glob('/proc/[0-9]*/cmdline'):
    try: print(open(file, 'rb').read())
    except OSError: pass
"""
    found = client.run(look_around)
    assert "entrypoint.server" in found
    assert PASSWORD not in found


def test_pip_installs_without_root_and_outlives_the_container(stack: Stack, client: Client) -> None:
    assert "Successfully installed cowsay" in client.run("%pip install --disable-pip-version-check cowsay")
    stack.compose("up", "-d", "--no-build", "--force-recreate", "--wait")
    printed = client.run("import cowsay; print(cowsay.__file__)")
    assert printed.startswith("/home/workhorse/venv/")
    assert "Successfully uninstalled" in stack.shell("pip uninstall -y cowsay")


def test_an_environment_made_in_a_terminal_shows_up_as_a_kernel(stack: Stack, client: Client) -> None:
    before = client.kernel_names()
    assert list(before) == ["python3"]
    stack.shell("conda create -y -q -n mine python=3.13 ipykernel && python -m venv /repositories/project/.venv")
    stack.shell("/repositories/project/.venv/bin/python -m pip install -q --disable-pip-version-check ipykernel")
    after = client.kernel_names()
    assert {"mine-python3", "project-python3"} <= set(after)
    assert "[mine]" in after["mine-python3"]
    assert client.run("import sys; print(sys.prefix)", "mine-python3") == "/home/workhorse/.conda/envs/mine\n"
    assert client.run("import sys; print(sys.prefix)", "project-python3") == "/repositories/project/.venv\n"


def test_the_image_s_own_environment_says_how_to_change_it(stack: Stack) -> None:
    result = stack.compose(
        "exec", "-T", "-u", "1000", "workhorse", "bash", "-lc", "conda install -y -p /opt/conda/envs/default cowsay",
        check=False,
    )  # fmt: skip
    assert result.returncode != 0
    assert "EnvironmentNotWritable" in result.stderr + result.stdout or "environment.yml" in result.stderr


def test_a_terminal_has_what_a_scientist_expects(stack: Stack) -> None:
    for command in ("git --version", "conda --version", "mamba --version", "pip --version", "nano --version", "ssh -V"):
        stack.shell(command)
    assert stack.shell("whoami").strip() == "workhorse"
    assert stack.shell("python -c 'import sys; print(sys.prefix)'").strip() == "/home/workhorse/venv"
    commit = "cd $(mktemp -d) && git init -q && git commit -q --allow-empty -m test && git log --format=%an"
    assert stack.shell(f"git config --global user.email me@example.org && {commit}").strip() == "Workhorse"


def test_a_new_file_of_the_terminal_belongs_to_the_person(stack: Stack) -> None:
    stack.shell("touch /repositories/by-terminal")
    assert (stack.repositories / "by-terminal").stat().st_uid == 1000 != os.getuid() or os.getuid() == 1000
