"""Every hook that Jupyter has, set by a personal configuration: as the lab's own packages tell of them, old and new."""

from __future__ import annotations

import pytest

from tests.clients import SECONDS, Client
from tests.stack.test_wall import STATE, Walled, walled
from tests.stacks import KERNELS, LAB

__all__ = ["walled"]

# Each keeps JupyterLab from starting, or from showing a page, or a kernel from starting: the person's own loss.
KEEPS_IT_FROM_WORKING = {
    # A folder that is not there, looked for before Workhorse decides on its own: "No such directory".
    "ServerApp.preferred_dir", "ContentsManager.preferred_dir", "ServerApp.notebook_dir", "ContentsManager.root_dir",
    "FileContentsManager.root_dir", "MappingKernelManager.root_dir", "ServerApp.root_dir",
    # JupyterLab's own pages are looked for there.
    "LabApp.app_dir",
    # A kernel's start reads the one and writes the other.
    "Session.keyfile", "ConnectionFileMixin.connection_file",
}  # fmt: skip
# Those that any JupyterLab of ours has; were they gone, this would look at nothing.
FAMILIAR = {
    "ServerApp.contents_manager_class", "ServerApp.identity_provider_class", "ServerApp.authorizer_class",
    "ServerApp.certfile", "ServerApp.cookie_secret_file", "ServerApp.browser", "ContentsManager.pre_save_hook",
    "ContentsManager.post_save_hook", "ContentsManager.files_handler_class", "LabApp.workspaces_dir",
    "TerminalsExtensionApp.terminal_manager_class", "NotebookNotary.store_factory", "KernelManager.client_factory",
}  # fmt: skip
# A class becomes one of its kind that looks around and goes on, a function one that looks, a place one of the door's.
EVERY_HOOK = f"""
import importlib.util, inspect, os, pkgutil, re
from traitlets import Any, Callable, Type, Unicode
from traitlets.config import Configurable

def note(*_, **__):
    with open("/repositories/hooked", "a") as file:
        print(os.readlink("/proc/self/ns/pid"), os.getuid(), os.path.exists("{STATE}"), os.environ, file=file)

def looking(base):
    def __init__(self, *arguments, **named):
        note()
        base.__init__(self, *arguments, **named)
    return type(base.__name__, (base,), {{"__init__": __init__, "__module__": base.__module__}})

def every(base):
    for each in base.__subclasses__():
        yield each
        yield from every(each)

def default_class(owner, trait):
    found = trait.default(owner.__new__(owner))
    if isinstance(found, str):
        module, _, name = found.rpartition(".")
        found = getattr(importlib.import_module(module), name)
    return found if isinstance(found, type) and found is not object and not inspect.isabstract(found) else None

def another(owner, name, trait):
    if isinstance(trait, Type):
        return (found := default_class(owner, trait)) and looking(found)
    if isinstance(trait, Callable) or type(trait) is Any and re.search("hook|func|runner", name):
        return note
    if isinstance(trait, Unicode) and re.search("(file|filepath|dir|path|cmd|browser|_ca)$", name):
        return "{STATE}/password-hash"

for package in ("jupyter_server", "jupyterlab_server", "jupyterlab", "jupyter_client", "jupyter_server_terminals",
                "jupyter_lsp", "notebook", "jupyter_events", "nbconvert", "nbformat"):
    # JupyterLab's own are in the lab alone.
    found = importlib.util.find_spec(package)
    for module in pkgutil.walk_packages(found.submodule_search_locations if found else (), package + "."):
        if not re.search("test|__main__", module.name):
            try:
                importlib.import_module(module.name)
            except Exception as error:  # what it needs besides isn't installed
                print(module.name, error)
hooks = [(owner, *each) for owner in dict.fromkeys(every(Configurable))
         for each in owner.class_own_traits(config=True).items()]
with open("/repositories/set", "a") as told:
    for owner, name, trait in hooks:
        full = owner.__name__ + "." + name
        if full not in {KEEPS_IT_FROM_WORKING!r} and (value := another(owner, name, trait)) is not None:
            setattr(c[owner.__name__], name, value)
            print(full, file=told)
note()
"""
FILE = "/home/workhorse/.jupyter/jupyter_server_config.py"


@pytest.fixture
def hooked(walled: Walled) -> Walled:
    walled.stack.shell(f"mkdir -p ~/.jupyter && cat >{FILE} <<'END'\n{EVERY_HOOK}\nEND")
    walled.stack.compose("restart", "-t", "1", LAB, KERNELS)
    walled.stack.up()
    return walled


def test_no_hook_of_jupyter_s_opens_the_wall(walled: Walled, hooked: Walled) -> None:
    """With all of them set JupyterLab runs, and what they bring about is there and in the kernels' server."""
    before, client = walled.state(), walled.client
    said = [client.session.get(f"{walled.stack.url}/lab", timeout=60).text]
    assert "jupyter-config-data" in said[0]
    assert client.run("print(6 * 7)") == "42\n"
    notebook = {"type": "notebook", "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}}
    headers = {"X-XSRFToken": client.session.cookies["_xsrf"], "Referer": f"{walled.stack.url}/lab"}
    for method, path, body in (
        ("PUT", "/api/contents/hooks.ipynb", notebook), ("POST", "/api/contents/hooks.ipynb/checkpoints", {}),
        ("GET", "/nbconvert/html/hooks.ipynb", None), ("GET", "/files/hooks.ipynb", None),
        ("POST", "/api/terminals", {}), ("GET", "/lab/api/workspaces", None), ("GET", "/lab/api/settings", None),
        ("GET", "/login", None), ("GET", "/lsp/status", None),
    ):  # fmt: skip
        url = walled.stack.url + path
        answer = client.session.request(method, url, json=body, headers=headers, timeout=SECONDS)
        said.append(f"{answer.status_code} {answer.headers} {answer.text}")
    with Client(walled.stack.url, client.authority) as stranger:
        assert stranger.session.get(f"{walled.stack.url}/api/contents", timeout=SECONDS).status_code == 403
    names = (walled.stack.repositories / "set").read_text().split()
    print(f"{len(names)} hooks")
    assert set(names) >= FAMILIAR, FAMILIAR - set(names)
    noted = (walled.stack.repositories / "hooked").read_text()
    walled.assert_nothing_of_it_in("\n".join([*said, noted]))
    lines = [line.split(maxsplit=3)[:3] for line in noted.splitlines()]
    namespaces = (walled.stack.compose("exec", "-T", each, "readlink", "/proc/self/ns/pid") for each in (LAB, KERNELS))
    assert {tuple(line) for line in lines} == {(each.stdout.strip(), "1000", "False") for each in namespaces}
    # Beyond the configuration's own look.
    assert len(lines) > 5
    assert walled.state() == before
    assert client.is_logged_in()
