"""Kernels and environments, in the running stack."""

from __future__ import annotations

import json
import os
import re

import pytest
from requests import HTTPError

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.stacks import KERNELS, Stack, poll


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
    assert "entrypoint.kernels.server" in found
    assert "entrypoint.door" not in found
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


def test_an_environment_made_anywhere_shows_up_and_outlives_the_container(stack: Stack, client: Client) -> None:
    stack.shell("conda create -y -q -p ~/far/away python=3.13 ipykernel")
    assert "/home/workhorse/far/away" in stack.shell("cat ~/.conda/environments.txt").splitlines()
    stack.compose("up", "-d", "--no-build", "--force-recreate", "--wait")
    assert "[away]" in client.kernel_names()["away-python3"]
    assert client.run("import sys; print(sys.prefix)", "away-python3") == "/home/workhorse/far/away\n"


def test_a_virtual_environment_shows_up_where_people_make_them(stack: Stack, client: Client) -> None:
    places = {
        "home-work": "~/home-work/.venv",
        "deep": "/repositories/group/deep/venv",
        "flat": "/repositories/flat/env",
    }
    for place in places.values():
        make = f"python -m venv --without-pip --system-site-packages {place}"
        stack.shell(f"{make} && {kernel_in(place, 'python3')}")
    kernels = kernels_with(client, *(f"{name}-python3" for name in places))
    for name in places:
        assert kernels[f"{name}-python3"] == f"Python by hand [{name}]"
    assert client.run("import sys; print(sys.prefix)", "deep-python3") == "/repositories/group/deep/venv\n"


def test_a_project_s_files_become_its_kernel_with_one_command(stack: Stack, client: Client) -> None:
    asked = r"name: course\ndependencies:\n- python=3.13\n- pip\n"
    stack.shell("cd /repositories && mkdir listed described && echo cowsay >listed/requirements.txt")
    stack.shell(f"printf '{asked}' >/repositories/described/environment.yml")
    assert "JupyterLab's launcher" in stack.shell("cd /repositories/listed && workhorse kernel")
    assert "/home/workhorse/.conda/envs/course" in stack.shell("workhorse kernel /repositories/described")
    kernels_with(client, "listed-python3", "course-python3")
    assert client.run("import cowsay, sys; print(sys.prefix)", "listed-python3") == "/repositories/listed/.venv\n"
    assert client.run("import sys; print(sys.prefix)", "course-python3") == "/home/workhorse/.conda/envs/course\n"
    # Root's own line makes what is the person's.
    assert (
        "JupyterLab's launcher"
        in stack.compose("exec", "-T", KERNELS, "workhorse", "kernel", "/repositories/listed").stdout
    )
    assert stack.shell("find /repositories/listed ~/.conda -user root | head -3") == ""
    refused = stack.compose("exec", "-T", KERNELS, "workhorse", "kernel", "/repositories", check=False)
    assert (refused.returncode, refused.stderr.splitlines()[0]) == (
        1,
        "/repositories holds no file that describes an environment "
        "(environment.yml, uv.lock, requirements.txt, pyproject.toml).",
    )


def test_a_kernel_that_pip_installs_shows_up_and_the_default_one_stays_alone(stack: Stack, client: Client) -> None:
    # As `pip install -U ipykernel` and the kernels of other languages leave them.
    stack.shell(f"{kernel_in('~/venv', 'python3')} && {kernel_in('~/venv', 'other')}")
    kernels = kernels_with(client, "other")
    assert kernels["other"] == "Python by hand"
    assert [name for name in kernels if name.startswith("python3")] == ["python3"]
    assert kernels["python3"] == "Python 3"
    found = client.run("import os, sys; print(sys.prefix, os.environ['CONDA_PREFIX'])", "other")
    assert found == "/home/workhorse/venv /opt/conda/envs/default\n"
    stack.shell("rm -r ~/venv/share/jupyter")


def kernels_with(client: Client, *names: str) -> dict[str, str]:
    """The kernels on offer, once these are among them: a list is served for some seconds."""

    def look() -> dict[str, str] | None:
        found = client.kernel_names()
        return found if found.keys() >= set(names) else None

    return poll(look, wanted=f"the kernels {', '.join(names)}")


def kernel_in(environment: str, name: str, program: str = "python") -> str:
    """A command that leaves a kernel spec in an environment, as packages do."""
    spec = {"argv": [program, "-m", "ipykernel_launcher", "-f", "{connection_file}"], "language": "python"}
    spec |= {"display_name": "Python by hand"}
    folder = f"{environment}/share/jupyter/kernels/{name}"
    return f"mkdir -p {folder} && echo '{json.dumps(spec)}' >{folder}/kernel.json"


def test_a_kernel_whose_python_is_not_here_is_left_out_and_told_once(stack: Stack, client: Client) -> None:
    venv = "/repositories/foreign/.venv"
    stack.shell(f"{kernel_in(venv, 'python3')} && mkdir {venv}/bin && ln -s /home/ada/uv/python3.12 {venv}/bin/python")
    reason = f"its Python, '{venv}/bin/python', leads to '/home/ada/uv/python3.12', which isn't in the container"
    told = poll(lambda: next((text for text in client.news() if "/foreign/" in text), None), 20, "the notice")
    assert reason in told
    assert "conda create -n foreign python ipykernel" in told
    assert "foreign-python3" not in client.kernel_names()
    assert_not_started(client, "foreign-python3")
    # Another one shows that the list was made anew since.
    stack.shell(kernel_in("/repositories/foreign/other/.venv", "python3"))
    poll(lambda: any("foreign/other" in text for text in client.news()) or None, 20, "the other's notice")
    assert told in client.news()
    assert stack.log().count(reason) == 1
    stack.shell("rm -r /repositories/foreign")


def test_no_kernel_runs_in_the_server_s_python(stack: Stack, client: Client) -> None:
    stack.shell(f"{kernel_in('~/.local', 'bare')} && {kernel_in('~/.local', 'servers', '/opt/server/bin/python')}")
    kernels_with(client, "bare")
    assert client.run("import sys; print(sys.prefix)", "bare") == "/home/workhorse/venv\n"
    assert any("it would run in the server's own Python" in text for text in client.news())
    assert_not_started(client, "servers")
    stack.shell("rm -r ~/.local/share/jupyter/kernels/bare ~/.local/share/jupyter/kernels/servers")


def test_oddities_where_kernels_are_looked_for_hold_up_nobody(stack: Stack, client: Client) -> None:
    odd = "/repositories/odd/.venv/share/jupyter/kernels"
    stack.shell(f"mkdir -p {odd}/fifo {odd}/endless {odd}/wrong ~/.local/share/jupyter/kernels/big ~/.conda")
    stack.shell(f"mkfifo {odd}/fifo/kernel.json && ln -s /dev/zero {odd}/endless/kernel.json")
    stack.shell("truncate -s 4G ~/.local/share/jupyter/kernels/big/kernel.json && rm -f ~/.conda/environments.txt")
    stack.shell(
        f"""echo '{{"argv": ["sh"], "metadata": 5}}' >{odd}/wrong/kernel.json && mkfifo ~/.conda/environments.txt"""
    )
    places = ("fifo", "endless", "wrong", "big", "environments.txt")

    def are_all_told() -> bool | None:
        assert "python3" in client.kernel_names()
        return all(re.search(f"{place}[^ ]* is left out: ", stack.log()) for place in places) or None

    poll(are_all_told, 20, "a line about each")
    assert client.run("print(1)") == "1\n"
    stack.shell("rm -r /repositories/odd ~/.local/share/jupyter/kernels/big ~/.conda/environments.txt")


def assert_not_started(client: Client, name: str) -> None:
    with pytest.raises(HTTPError):
        client.api("POST", "kernels", name=name)


def test_pip_installs_into_the_environment_of_the_kernel_or_nowhere(stack: Stack, client: Client) -> None:
    stack.shell("conda create -y -q -n other python=3.13 ipykernel pip")
    stack.shell("conda create -y -q -n lean python=3.13 ipykernel pip && rm ~/.conda/envs/lean/bin/pip*")
    stack.shell("python -m venv --without-pip --system-site-packages ~/bare/venv")
    stack.shell(kernel_in("~/bare/venv", "python3"))
    kernels_with(client, "other-python3", "lean-python3", "bare-python3")
    places = {"python3": "/opt/conda/envs/default/", "other-python3": "/home/workhorse/.conda/envs/other/"}
    for kernel, place in places.items():
        assert f" from {place}" in client.run("!pip --version\n!pip3 --version", kernel)
    remedies = {
        "lean": "conda install -y -p /home/workhorse/.conda/envs/lean pip",
        "bare": "-m ensurepip --default-pip",
    }
    for name, remedy in remedies.items():
        said = client.run("!pip install --no-deps cowsay", f"{name}-python3")
        assert "has no pip. To give it one:" in said
        assert remedy in said
    # Where no kernel's environment is active, it is the default one's.
    assert "/opt/conda/envs/default/" in stack.shell(". ~/venv/bin/activate && pip --version")


def test_the_image_s_own_environment_says_how_to_change_it(stack: Stack) -> None:
    result = stack.compose(
        "exec", "-T", "-u", "1000", KERNELS, "bash", "-lc", "conda install -y -p /opt/conda/envs/default cowsay",
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
