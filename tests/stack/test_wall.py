"""What a notebook from a stranger can reach beyond the wall: nothing of the state, and no process at the door."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.clients import SECONDS, Client
from tests.conftest import PASSWORD
from tests.stacks import SERVICES, Stack, new_stack, poll, running

STATE = "/var/lib/workhorse"
SECRETS = ("password-hash", "cookie-secret", "device-secret", "tls/server.pem", "tls/authority.pem")
TAIL_LENGTH = 24


@dataclass(frozen=True)
class Walled:
    """A running stack, and what of it a notebook must never see."""

    stack: Stack
    client: Client
    secrets: tuple[str, ...]

    def state(self) -> str:
        """A digest of everything that the door keeps, but for what a login or a guess changes."""
        others = "! -name '*logins.json' ! -name 'guesses.json' ! -name '.*logins.json.*' ! -name '.guesses.json.*'"
        return self.stack.door_shell(f"cd {STATE} && find . -type f {others} | sort | xargs sha256sum")

    def assert_nothing_of_it_in(self, text: str) -> None:
        assert not [secret for secret in self.secrets if secret in text]


@pytest.fixture(scope="module")
def walled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Walled]:
    with running(new_stack(tmp_path_factory.mktemp("walled"), JUPYTER_PASSWORD=PASSWORD)) as stack:  # noqa: SIM117
        with Client(stack.url, stack.authority()) as client:
            assert client.login(PASSWORD).status_code == 302
            kept = stack.door_shell(
                f"cd {STATE} && for file in {' '.join(SECRETS)}; do tail -n 3 $file | tr -d '\\n'; echo; done"
            )
            lines = [re.sub("-----[A-Z ]+-----", "", line)[-TAIL_LENGTH:] for line in kept.splitlines()]
            assert len(set(filter(None, lines))) == len(SECRETS)
            yield Walled(stack, client, (*lines, PASSWORD, client.session.cookies.get(login_cookie(client)) or "-"))


def login_cookie(client: Client) -> str:
    return next(cookie.name for cookie in client.session.cookies if cookie.name.startswith("username-"))


# More than a kernel is let show.
KEEP_WHAT_IS_FOUND = """
import subprocess, sys
with open("/repositories/found", "w", errors="replace") as found:
    subprocess.run([sys.executable, "-c", {!r}], stdout=found, check=True)
print("looked to the end")
"""
# Each prints what it has found, whatever that is.
GREEDY = {
    "the state's folder": f"""
import pathlib
for file in pathlib.Path("{STATE}").rglob("*"):
    print(file, file.read_bytes() if file.is_file() else "")
""",
    "every file that can be read": """
import os
for top, folders, files in os.walk("/"):
    folders[:] = [each for each in folders if os.path.join(top, each) not in ("/proc", "/sys", "/opt", "/usr")]
    for file in (os.path.join(top, each) for each in files):
        try:
            if not os.path.isfile(file): continue
            with open(file, "rb") as content:
                print(file, content.read(100_000)[-5_000:])
        except OSError as error:
            print(file, error)
""",
    "every process: its environment, arguments, memory maps and files": """
import os, pathlib
for process in pathlib.Path("/proc").glob("[0-9]*"):
    for name in ("cmdline", "environ", "maps", "mountinfo"):
        try:
            print(name, (process / name).read_bytes().replace(bytes(1), b" "))
        except OSError as error:
            print(error)
    for link in ("root", "cwd", "exe"):
        try:
            print(os.listdir(process / link / "var/lib/workhorse"))
        except OSError as error:
            print(error)
""",
    "the memory of the server and of every other process": """
import pathlib, re
for process in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        with open(process / "mem", "rb") as memory:
            for line in (process / "maps").read_text().splitlines():
                if " rw" in line and ("heap" in line or line.endswith(" 0 ")):
                    start, end = (int(each, 16) for each in line.split()[0].split("-"))
                    memory.seek(start)
                    print(re.findall(rb"[!-~]{20,}", memory.read(min(end - start, 2**22)))[:2000])
    except (OSError, ValueError) as error:
        print(error)
""",
    "a debugger's hand on process 1 and its neighbours": """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
# To seize: to attach would stop JupyterLab, which is the person's own.
print([(pid, libc.ptrace(0x4206, pid, 0, 0), ctypes.get_errno()) for pid in range(1, 400)])
""",
    "namespaces, mounts, devices": """
import ctypes, os, subprocess
libc = ctypes.CDLL(None, use_errno=True)
for flags in (0x00020000, 0x10000000, 0x40000000, 0x20000000):
    print(libc.unshare(flags), ctypes.get_errno())
print(libc.mount(b"/", b"/tmp", None, 4096, None), ctypes.get_errno())
try:
    os.mknod("/tmp/disk", 0o60600, os.makedev(8, 0)); print(open("/tmp/disk", "rb").read(4096))
except OSError as error:
    print(error)
look = "cat /proc/mounts; ls -la /run/secrets /run/kernels /run/lab /certificates"
print(subprocess.run(["sh", "-c", look], capture_output=True))
""",
    "the door, asked by its address and its name": """
import socket, ssl
context = ssl._create_unverified_context()
for name in ("{door}", "workhorse", "localhost"):
    for port in (8888, 8880, 22, 80, 443, 2375):
        for path in ("/login", "/../var/lib/workhorse/password-hash", "/health", "/api/status",
                     "/static/..%2f..%2f..%2fvar/lib/workhorse/cookie-secret", "/workhorse/report", "/trust/x.crt"):
            try:
                with socket.create_connection((name, port), 2) as plain, context.wrap_socket(plain) as tls:
                    tls.sendall(f"GET {path} HTTP/1.1\\r\\nHost: {name}\\r\\nConnection: close\\r\\n\\r\\n".encode())
                    answer = b""
                    while part := tls.recv(65536): answer += part
                    print(name, port, path, answer)
            except OSError as error:
                print(name, port, error); break
""",
    "every Unix socket that there is": """
import os, socket, stat
found = [line.split()[-1] for line in open("/proc/net/unix") if "/" in line or "@" in line]
for top, folders, files in os.walk("/run"):
    found += [os.path.join(top, each) for each in files]
for path in found:
    try:
        with socket.socket(socket.AF_UNIX) as each:
            each.settimeout(1); each.connect(path.replace("@", chr(0))); each.sendall(b"GET / HTTP/1.0\\r\\n\\r\\n")
            print(path, each.recv(65536))
    except OSError as error:
        print(path, error)
""",
    "what the command in the lab will do": """
import subprocess
for word in ("", "status", "reset-password", "sign-out", "totp", "ca", "share-ca", "renew", "new-authority", "audit",
             "backup", "restore", "check", "--help"):
    ended = subprocess.run(["workhorse", *word.split()], capture_output=True, stdin=subprocess.DEVNULL, timeout=60)
    print(word, ended.returncode, ended.stdout, ended.stderr)
""",
    "the keyrings, shared memory and message queues of the machine": """
import subprocess
print(subprocess.run(["sh", "-c", "cat /proc/keys /proc/key-users; ls -la /dev/shm /dev/mqueue; cat /proc/sysvipc/*"],
                     capture_output=True))
""",
}  # fmt: skip


@pytest.mark.parametrize("what", GREEDY)
def test_a_notebook_finds_nothing_of_the_state_in(walled: Walled, what: str) -> None:
    before = walled.state()
    greedy = GREEDY[what].replace("{door}", walled.stack.address)
    assert walled.client.run(KEEP_WHAT_IS_FOUND.format(greedy)) == "looked to the end\n"
    found = (walled.stack.repositories / "found").read_text()
    walled.assert_nothing_of_it_in(found)
    assert "entrypoint.door" not in found
    assert 'name="password"' not in found
    assert walled.state() == before


def test_the_three_share_no_namespace_and_a_notebook_makes_none(walled: Walled) -> None:
    kinds = ("pid", "mnt", "ipc", "net", "uts")
    look = "; ".join(f"readlink /proc/self/ns/{kind}" for kind in kinds)
    seen = [namespace for service in SERVICES for namespace in walled.stack.shell_of(service)(look).split()]
    assert len(set(seen)) == len(seen) == len(kinds) * len(SERVICES)
    code = (
        "import ctypes, os\nlibc = ctypes.CDLL(None)\n"
        "print([libc.unshare(flag) for flag in (0x20000, 0x10000000, 0x40000000, 0x20000000)], "
        "libc.mount(b'/', b'/tmp', None, 4096, None), libc.ptrace(0x4206, 1, 0, 0))"
    )
    # Process 1, which no notebook has started, is the person's own here, and may be seized.
    assert walled.client.run(code).startswith("[-1, -1, -1, -1] -1 ")


def test_no_signal_of_a_notebook_reaches_the_door_or_the_lab(walled: Walled) -> None:
    started = walled.stack.container.attrs["State"]["StartedAt"]
    kernels_started = walled.stack.kernels.attrs["State"]["StartedAt"]
    lab_started = walled.stack.lab.attrs["State"]["StartedAt"]
    kernel = walled.client.start_kernel()
    kernel.send(
        "import os, signal; os.kill(1, signal.SIGKILL); os.kill(1, signal.SIGTERM); os.kill(-1, signal.SIGKILL)"
    )
    poll(
        lambda: walled.stack.kernels.attrs["State"]["StartedAt"] != kernels_started or None,
        wanted="kernels that Docker restarts",
    )
    poll(lambda: walled.stack.kernels.attrs["State"]["Health"]["Status"] == "healthy" or None, wanted="kernels")
    assert walled.stack.container.attrs["State"]["StartedAt"] == started
    assert walled.stack.lab.attrs["State"]["StartedAt"] == lab_started
    assert walled.client.is_logged_in()


# Below the notebooks' folder, each a link to it.
TARGETS = (
    STATE, f"{STATE}/password-hash", f"{STATE}/tls/server.pem", f"/proc/1/root{STATE}/cookie-secret",
    f"/proc/self/cwd{STATE}/cookie-secret", "/run/workhorse/settings.json", "/certificates",
    "/run/secrets/jupyter_password",
)  # fmt: skip


@pytest.fixture
def link(walled: Walled, request: pytest.FixtureRequest) -> Iterator[str]:
    """The name of a link in the notebooks' folder that leads to a place of the door's."""
    name = "linked"
    walled.stack.shell(f"ln -sfn {request.param} /repositories/{name}")
    yield name
    walled.stack.shell(f"rm -rf /repositories/{name}")


@pytest.mark.parametrize("link", TARGETS, indirect=True)
def test_no_api_follows_a_link_across_the_wall(walled: Walled, link: str) -> None:
    before, said = walled.state(), []
    file = {"type": "file", "format": "text", "content": "planted"}
    notebook = {"type": "notebook", "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}}
    asked = [
        ("GET", f"/api/contents/{link}", None), ("GET", f"/api/contents/{link}?type=file&format=base64", None),
        ("GET", f"/api/contents/{link}/cookie-secret", None), ("GET", f"/files/{link}", None),
        ("GET", f"/files/{link}/password-hash", None), ("GET", f"/files/{link}?download=1", None),
        ("GET", f"/nbconvert/html/{link}", None), ("GET", f"/view/{link}", None), ("GET", f"/edit/{link}", None),
        ("PUT", f"/api/contents/{link}", file), ("PUT", f"/api/contents/{link}/planted", file),
        ("PUT", f"/api/contents/{link}/planted.ipynb", notebook),
        ("POST", f"/api/contents/{link}", {"type": "file"}), ("POST", "/api/contents", {"copy_from": link}),
        ("POST", f"/api/contents/{link}/checkpoints", {}), ("PATCH", f"/api/contents/{link}", {"path": "moved"}),
        ("PATCH", "/api/contents/moved", {"path": link}), ("DELETE", f"/api/contents/{link}/password-hash", None),
        ("POST", "/api/terminals", {"cwd": link}),
        ("POST", "/api/sessions", {"path": link, "type": "notebook", "name": "x", "kernel": {"name": "python3"}}),
    ]  # fmt: skip
    for method, path, body in asked:
        # As a page sends both.
        headers = {"X-XSRFToken": walled.client.session.cookies["_xsrf"], "Referer": f"{walled.stack.url}/lab"}
        answer = walled.client.session.request(
            method, walled.stack.url + path, json=body, headers=headers, timeout=SECONDS, allow_redirects=False
        )
        said.append(f"{method} {path} {answer.status_code} {answer.headers} {answer.text}")
    for session in walled.client.api("GET", "sessions"):
        walled.client.api("DELETE", f"sessions/{session['id']}")
    walled.assert_nothing_of_it_in("\n".join(said))
    assert walled.state() == before


@pytest.mark.parametrize("folder", ["user-settings/@jupyterlab/apputils-extension", "workspaces", "translations"])
def test_no_setting_of_the_lab_s_leads_across_the_wall(walled: Walled, folder: str) -> None:
    before = walled.state()
    plant = f"mkdir -p ~/.jupyter/lab/{folder} && cd ~/.jupyter/lab/{folder} && "
    plant += "".join(
        f"ln -sfn {STATE}/password-hash {name}; "
        for name in ("themes.jupyterlab-settings", "x-2d71.jupyterlab-workspace", "x.jupyterlab-workspace")
    )
    walled.stack.shell(plant)
    said = []
    asked = (
        ("GET", "settings"),
        ("PUT", "settings"),
        ("GET", "workspaces"),
        ("PUT", "workspaces"),
        ("GET", "translations"),
    )
    for method, path in asked:
        name = "@jupyterlab/apputils-extension:themes" if path == "settings" else "x"
        answer = walled.client.session.request(
            method, f"{walled.stack.url}/lab/api/{path}/{quote(name, safe='@:/')}",
            data=json.dumps({"raw": "{}", "data": {}, "metadata": {"id": "x"}}) if method == "PUT" else None,
            headers={"X-XSRFToken": walled.client.session.cookies["_xsrf"]}, timeout=SECONDS,
        )  # fmt: skip
        said.append(answer.text)
    walled.stack.shell(f"rm -rf ~/.jupyter/lab/{folder.split('/')[0]}")
    walled.assert_nothing_of_it_in("\n".join(said))
    assert walled.state() == before


def test_no_labextension_leads_across_the_wall(walled: Walled) -> None:
    package = json.dumps({"name": "greedy", "version": "1.0.0", "jupyterlab": {"_build": {"load": "static/x.js"}}})
    walled.stack.shell(
        "cd && mkdir -p venv/share/jupyter/labextensions/greedy && cd venv/share/jupyter/labextensions/greedy && "
        f"echo '{package}' >package.json && "
        f"ln -sfn {STATE} static && ln -sfn / root"
    )
    said = [
        walled.client.session.get(f"{walled.stack.url}/lab/extensions/greedy/{path}", timeout=SECONDS).text
        for path in (
            "static/password-hash",
            "static/tls/server.pem",
            f"root{STATE}/cookie-secret",
            "../../../../" + STATE,
        )
    ]
    walled.stack.shell("rm -r ~/venv/share/jupyter/labextensions/greedy")
    walled.assert_nothing_of_it_in("\n".join(said))


# What a server of Jupyter's, its extensions, certbot, a start, a health check or a person looks up by its bare name.
PROGRAMS = (
    "node", "npm", "npx", "julia", "R", "git", "bash", "sh", "python", "python3", "pip", "conda", "jupyter", "pandoc",
    "xelatex", "inkscape", "certbot", "openssl", "curl", "tini", "workhorse", "env", "ps", "id", "ls", "cat", "hg",
    "tar", "pylsp", "jedi-language-server",
)  # fmt: skip
# Where it ran, as whom, and what it could see there.
SEEN = f"/usr/bin/readlink /proc/self/ns/pid; /usr/bin/id -u; /bin/cat {STATE}/*;"
TRAP = f"#!/bin/bash\n{{ {SEEN} }} >>/repositories/ran 2>/dev/null\n"


def test_no_program_in_a_home_is_run_at_the_door(walled: Walled) -> None:
    plant = f"""
import os, pathlib
for folder in ("venv/bin", ".local/bin", "bin"):
    for name in {PROGRAMS!r}:
        file = pathlib.Path.home() / folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists():
            file.write_text({TRAP!r}); file.chmod(0o755)
print(os.readlink("/proc/self/ns/pid"), os.getuid())
"""
    kernels = walled.client.run(plant).split()
    lab = walled.stack.lab_shell("readlink /proc/self/ns/pid").split()
    checked = len(walled.stack.container.attrs["State"]["Health"]["Log"])
    for command in ("status", "audit", "check", "renew", "ca"):
        walled.stack.workhorse(command, check=False)
    walled.stack.compose("restart", "-t", "1", "workhorse")
    walled.stack.up()
    walled.client.session.get(f"{walled.stack.url}/lab", timeout=SECONDS)
    walled.client.session.get(f"{walled.stack.url}/lsp/status", timeout=SECONDS)
    poll(lambda: len(walled.stack.container.attrs["State"]["Health"]["Log"]) > min(checked, 1), 60, "a health check")
    # Not by the name of a shell, which is a trap too.
    as_person = "/usr/bin/setpriv --reuid 1000 --regid 1000 --clear-groups "
    walled.stack.shell(f"{as_person} /home/workhorse/venv/bin/julia || true", user="0")
    ran = (walled.stack.repositories / "ran").read_text().split()
    assert set(kernels) <= set(ran) <= {*kernels, *lab}, "a program ran elsewhere, or saw something there"
    traps = "grep -l /repositories/ran {venv/bin,.local/bin,bin}/*"
    walled.stack.shell(f"cd /home/workhorse && {as_person} rm -f $({traps}) /repositories/ran", user="0")


def test_no_template_of_an_export_leads_across_the_wall(walled: Walled) -> None:
    template = "{% for each in ''.__class__.__mro__[1].__subclasses__() %}{{ each }}{% endfor %}"
    template += "this template ran {% include '" + STATE + "/password-hash' ignore missing %}"
    walled.stack.shell(
        "folder=~/.local/share/jupyter/nbconvert/templates/lab; mkdir -p $folder && cd $folder && "
        f"cat >index.html.j2 <<'END'\n{template}\nEND\n"
        f"ln -sfn {STATE}/cookie-secret base.html.j2"
    )
    notebook = {"type": "notebook", "content": {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}}
    walled.client.api("PUT", "contents/exported.ipynb", **notebook)
    # Without a referer of its own, Jupyter takes it for another site's.
    referer, page = {"Referer": f"{walled.stack.url}/lab"}, f"{walled.stack.url}/nbconvert/html/exported.ipynb"
    said = walled.client.session.get(page, headers=referer, timeout=120).text
    walled.stack.shell("rm -r ~/.local/share/jupyter/nbconvert /repositories/exported.ipynb")
    assert "this template ran" in said
    walled.assert_nothing_of_it_in(said)


HOOKS = f"""
import os, pathlib
def note(*_, **__):
    with open("/repositories/hooked", "a") as file:
        print(os.readlink("/proc/self/ns/pid"), os.getuid(), os.path.exists("{STATE}"), os.environ, file=file)
note()
c.FileContentsManager.pre_save_hook = note
c.FileContentsManager.post_save_hook = note
c.FilesHandler.get = note
c.ServerApp.extra_template_paths = ["{STATE}", "/repositories"]
c.ServerApp.extra_static_paths = ["{STATE}"]
c.ServerApp.terminado_settings = {{"shell_command": ["/bin/sh", "-c", "cat {STATE}/*; exec sh"]}}
c.ServerApp.tornado_settings = {{"headers": {{"Set-Cookie": "username-localhost=stolen"}}, "cookie_secret": "known"}}
c.ServerApp.identity_provider_class = "jupyter_server.auth.identity.IdentityProvider"
c.ServerApp.allow_unauthenticated_access = True
c.ServerApp.certfile = "{STATE}/tls/server.pem"
c.ServerApp.sock = "/run/lab/other"
c.ServerApp.ip = "0.0.0.0"
c.PasswordIdentityProvider.hashed_password = ""
c.IdentityProvider.token = "known"
c.IdentityProvider.cookie_name = "username-localhost"
"""


@pytest.mark.parametrize("kind", ["py", "json"])
def test_no_personal_setting_of_jupyter_s_opens_the_wall(walled: Walled, kind: str) -> None:
    """Whatever it brings about is behind the door, which asks for the password as before."""
    file = f"~/.jupyter/jupyter_server_config.{kind}"
    settings = re.findall(r"^c\.(\w+)\.(\w+) = (.*)$", HOOKS, re.MULTILINE)
    sections: dict[str, dict[str, object]] = {}
    for section, name, value in settings:
        if "note" not in value:
            sections.setdefault(section, {})[name] = eval(value, {"True": True})  # noqa: S307  # our own text, above
    content = HOOKS if kind == "py" else json.dumps(sections)
    walled.stack.shell(f"mkdir -p ~/.jupyter && cat >{file} <<'END'\n{content}\nEND")
    before = walled.state()
    walled.stack.compose("restart", "-t", "1", "lab", "kernels")
    walled.stack.compose("up", "-d", "--no-build", check=False)
    paths = ("/lab", "/api/contents", "/static/password-hash", "/templates/x", "/api/kernels", "/api/terminals")
    asked = [f"{walled.stack.url}{path}" for path in paths]
    # With all of this, JupyterLab runs.
    is_served = "jupyter-config-data"
    poll(lambda: is_served in walled.client.session.get(asked[0], timeout=60).text or None, wanted="JupyterLab")
    said = [f"{(answer := walled.client.session.get(url, timeout=60)).headers} {answer.text}" for url in asked]
    with Client(walled.stack.url, walled.client.authority) as stranger:
        assert stranger.session.get(f"{walled.stack.url}/api/contents", timeout=SECONDS).status_code == 403
        for path in ("contents", "kernels"):
            url = f"{walled.stack.url}/api/{path}?token=known"
            assert stranger.session.get(url, timeout=SECONDS).status_code == 403
        assert stranger.login("").status_code == 401
    hooks = walled.stack.repositories / "hooked"
    hooked = hooks.read_text() if hooks.exists() else ""
    walled.stack.compose(
        "run", "--rm", "-T", "-u", "1000", "--entrypoint", "/bin/rm", "lab", file.replace("~", "/home/workhorse")
    )
    walled.stack.compose("restart", "-t", "1", "lab", "kernels")
    walled.stack.up()
    walled.assert_nothing_of_it_in("\n".join([*said, hooked]))
    assert "True" not in {line.split()[2] for line in hooked.splitlines()}
    assert kind == "json" or hooked
    assert "stolen" not in "\n".join(said)
    assert walled.state() == before
    assert walled.client.is_logged_in()


def test_docker_itself_tells_what_stands_behind_the_door_no_secret(walled: Walled) -> None:
    both = {"/repositories", "/home/workhorse", "/run/secrets/ca"}
    expected = {"lab": both | {"/run/lab"}, "kernels": both | {"/tmp", "/run/kernels"}}
    for service, places in expected.items():
        attributes = walled.stack.container_of(service).attrs
        walled.assert_nothing_of_it_in(json.dumps(attributes))
        assert {mount["Destination"] for mount in attributes["Mounts"]} == places
    door = {mount["Destination"]: mount["RW"] for mount in walled.stack.container.attrs["Mounts"]}
    assert door == {STATE: True, "/certificates": False, "/run/lab": False, "/run/kernels": False,
                    "/run/secrets/ca": False, "/run/secrets/jupyter_password": False}  # fmt: skip


def test_a_link_in_the_socket_s_place_leads_nowhere(walled: Walled) -> None:
    walled.stack.shell(f"cd /run/kernels && mv socket kept && ln -s {STATE}/cookie-secret socket")
    with Client(walled.stack.url, walled.client.authority) as stranger:
        assert stranger.session.get(f"{walled.stack.url}/login", timeout=SECONDS).status_code == 200
    report = walled.stack.workhorse("status", check=False)
    walled.assert_nothing_of_it_in(report + walled.stack.log())
    walled.stack.shell("cd /run/kernels && rm socket && mv kept socket")
    assert walled.client.api("GET", "kernels") == []


def test_the_wall_s_keeper_is_not_the_folder_s_owner(tmp_path: Path) -> None:
    """Whoever owns the notebooks' folder, the door reads nothing of it."""
    stack = new_stack(tmp_path, JUPYTER_PASSWORD=PASSWORD)
    with running(stack):
        assert stack.door_shell("ls /repositories /home/workhorse 2>&1 || true").count("No such file") == 2
