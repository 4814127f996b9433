"""A laptop in step: two real Syncthings, whose folders belong to different users, and what a person sees of both."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import textwrap
from pathlib import Path

from tests.clients import Client
from tests.conftest import PASSWORD
from tests.laptops import (
    OWNER,
    STEP_SECONDS,
    SYNC,
    Laptop,
    SyncStack,
    arrives,
    content_of,
)
from tests.stacks import DOOR, KERNELS, LAB, REPOSITORY, poll

SYNC_PAGE = REPOSITORY / "docs" / "sync.md"


def owner(path: Path) -> tuple[int, int]:
    return path.stat().st_uid, path.stat().st_gid


def names_in(folder: Path, pattern: str = "*") -> set[str]:
    return {path.name for path in folder.glob(pattern)}


def test_an_edit_is_on_the_other_side_within_seconds_and_its_owner_s(server: SyncStack, ada: Laptop) -> None:
    seconds = []
    for number in range(3):
        ada.write("project/fit.py", f"laptop {number}")
        seconds.append(arrives(server.repositories / "project/fit.py", f"laptop {number}"))
        server.write("project/fit.py", f"server {number}")
        seconds.append(arrives(ada.folder / "project/fit.py", f"server {number}"))
    print(f"edits, from the laptop and from the server by turns: {[round(each, 2) for each in seconds]} s")
    ada.write("from-laptop.txt", "x")
    server.write("from-server.txt", "x")
    arrives(server.repositories / "from-laptop.txt", "x")
    arrives(ada.folder / "from-server.txt", "x")
    assert owner(server.repositories / "from-laptop.txt") == OWNER
    assert owner(ada.folder / "from-server.txt") == ada.user


def test_a_kernel_reads_what_the_laptop_wrote_and_the_other_way_round(server: SyncStack, ada: Laptop) -> None:
    ada.write("data.csv", "1,2,3")
    arrives(server.repositories / "data.csv", "1,2,3")
    with Client(server.url, server.authority()) as client:
        client.login(PASSWORD)
        assert client.run("print(open('/repositories/data.csv').read())") == "1,2,3\n"
        client.run("open('/repositories/result.csv', 'w').write('6')")
    arrives(ada.folder / "result.csv", "6")


def test_what_was_edited_apart_is_kept_twice_on_both_sides_and_told(server: SyncStack, ada: Laptop) -> None:
    ada.write("apart/k.ipynb", "first")
    arrives(server.repositories / "apart/k.ipynb", "first")
    ada.stop()
    ada.write("apart/k.ipynb", "of the laptop")
    server.write("apart/k.ipynb", "of the server")
    ada.start()

    def both(folder: Path) -> bool | None:
        contents = {content_of(path) for path in folder.glob("k*.ipynb")}
        return contents == {b"of the laptop", b"of the server"} or None

    for side in (server.repositories, ada.folder):
        poll(lambda folder=side / "apart": both(folder), STEP_SECONDS, "both versions")  # type: ignore[misc]
    (copy,) = names_in(server.repositories / "apart", "*.sync-conflict-*")
    assert names_in(ada.folder / "apart") == names_in(server.repositories / "apart") == {"k.ipynb", copy}
    told = server.workhorse("sync")
    assert "1 file changed in two places at once, and kept in both versions" in told
    assert f"apart/{copy} (" in told
    (server.repositories / "apart" / copy).unlink()
    poll(lambda: "two places at once" not in server.workhorse("sync") or None, STEP_SECONDS, "no conflict")


def test_what_the_laptop_deletes_can_be_had_back_whole(server: SyncStack, ada: Laptop) -> None:
    written = {f"precious/{folder}/{number}.txt": f"{folder} {number}" for folder in "ab" for number in range(10)}
    for path, text in written.items():
        server.write(path, text)
    for path, text in written.items():
        arrives(ada.folder / path, text)
    ada.run("rm -rf ~/workhorse/precious/*")
    deleted = [server.repositories / "precious" / folder for folder in "ab"]
    poll(lambda: not any(folder.exists() for folder in deleted) or None, STEP_SECONDS, "the deletion")
    versions = server.repositories / ".stversions" / "precious"
    kept = sorted(path.read_text() for path in versions.glob("*/*.txt"))
    assert kept == sorted(written.values())
    assert not list((server.repositories / "precious").glob("*/*"))
    server.shell(way_back("precious"), user=str(OWNER[0]))
    for path, text in written.items():
        assert (server.repositories / path).read_text() == text
        arrives(ada.folder / path, text)


def way_back(folder: str) -> str:
    """What docs/sync.md gives to type, for another folder."""
    (block,) = re.findall(r"```sh\n( +cd /repositories/.stversions.*?)```", SYNC_PAGE.read_text(), re.DOTALL)
    return textwrap.dedent(block).replace("find project", f"find {folder}")


def test_an_environment_outlives_the_deletion_of_its_project_on_the_laptop(server: SyncStack, ada: Laptop) -> None:
    for path in (".venv/bin/python", "node_modules/left-pad/index.js", ".git/HEAD", "__pycache__/fit.pyc", "fit.py"):
        server.write(f"paper/{path}", "x")
    arrives(ada.folder / "paper/fit.py", "x")
    ada.wait_in_step()
    assert names_in(ada.folder / "paper") == {"fit.py"}
    ada.run("rm -rf ~/workhorse/paper")
    poll(lambda: not (server.repositories / "paper/fit.py").exists() or None, STEP_SECONDS, "the deletion")
    poll(lambda: "can't be taken over" in server.workhorse("sync") or None, STEP_SECONDS, "the reason")
    assert "paper: " in server.workhorse("sync")
    assert {".venv", "node_modules", ".git"} <= names_in(server.repositories / "paper", ".*") | {"node_modules"}
    assert (server.repositories / "paper/.venv/bin/python").read_text() == "x"
    assert (server.repositories / "paper/node_modules/left-pad/index.js").read_text() == "x"
    shutil.rmtree(server.repositories / "paper")


def test_a_laptop_that_was_away_brings_and_gets_all_of_it(server: SyncStack, ada: Laptop) -> None:
    ada.write("away/both.txt", "before")
    ada.write("away/gone.txt", "before")
    arrives(server.repositories / "away/both.txt", "before")
    arrives(server.repositories / "away/gone.txt", "before")
    ada.wait_in_step()
    ada.stop()
    poll(lambda: ": away, last seen 20" in server.workhorse("sync") or None, wanted="that it is away")
    server.write("away/both.txt", "edited on the server")
    (server.repositories / "away/gone.txt").unlink()
    yesterday = os.stat(ada.folder / "away/both.txt").st_mtime - 24 * 60 * 60
    os.utime(ada.write("away/laptop.txt", "written in the train"), (yesterday, yesterday))
    poll(lambda: "wait for it" in server.workhorse("sync") or None, wanted="what waits")
    ada.start()
    arrives(ada.folder / "away/both.txt", "edited on the server")
    arrives(server.repositories / "away/laptop.txt", "written in the train")
    poll(lambda: not (ada.folder / "away/gone.txt").exists() or None, STEP_SECONDS, "the deletion")
    ada.wait_in_step()
    assert "ada (" in server.workhorse("sync")


def test_status_tells_of_the_laptop(server: SyncStack, ada: Laptop) -> None:
    ada.wait_in_step()
    in_step = "connected, both have everything"
    told = poll(lambda: text if in_step in (text := server.workhorse("status")) else None, wanted=in_step)
    assert "Laptops" in told
    assert "ada (" in told


def test_notebooks_reach_neither_the_key_nor_what_syncthing_is_asked_by(server: SyncStack, ada: Laptop) -> None:
    """Neither volume is theirs, nor is the network."""
    key = server.door_shell("sed -n 3p /var/lib/workhorse/sync.pem").strip()
    assert len(key) > 20
    assert "pairing.json" in server.door_shell("ls /run/pairing")
    greedy = (
        f"ls -la /run /var/lib/sync /run/sync /run/pairing; grep -rsl '{key}' /run /tmp /home /repositories /var /etc"
    )
    for shell in (server.shell, server.lab_shell):
        said = shell(f"{greedy}; true", user="0")
        assert "pairing" not in said
        assert "sync" not in said.replace(".sync-conflict", "")
    assert "SYNC" not in server.shell("env", user="1500")
    assert networks_of(server, SYNC) & (networks_of(server, KERNELS) | networks_of(server, DOOR)) == set()
    assert networks_of(server, LAB) == {"none"}


def networks_of(server: SyncStack, service: str) -> set[str]:
    return set(server.container_of(service).attrs["NetworkSettings"]["Networks"])


# Each may be left by a notebook, as the folder's owner, who Syncthing is too.
LINKS = (
    "ln -s /run/workhorse/server/syncthing/key.pem key.pem; ln -s /run/workhorse/server/syncthing config",
    "printf '#include key.pem\\n' > .stignore",
    "rm .stignore; ln -s /run/workhorse/server/syncthing/key.pem .stignore",
    "rm .stignore; printf '#include config/key.pem\\n[\\n' > .stignore",
    "rm .stignore; rm -rf .stversions; ln -s /run/workhorse/server/syncthing .stversions; date > own.txt",
)


def test_what_a_notebook_links_to_is_followed_by_nobody(server: SyncStack, ada: Laptop) -> None:
    key = server.door_shell("sed -n 3p /var/lib/workhorse/sync.pem").strip()
    own = (server.repositories / ".stignore").read_text()
    try:
        for number, script in enumerate(LINKS):
            server.shell(f"cd /repositories && {script}; echo {number} > linked.txt", user=str(OWNER[0]))
            server.compose("restart", SYNC)
            server.up()
            wanted = "invalid pattern" if "[" in script else "  Laptops     ada"
            told = poll(lambda wanted=wanted: said if wanted in (said := server.workhorse("sync")) else None)  # type: ignore[misc]
            assert key not in told + server.sync_log()
        # What is overwritten by this, goes where .stversions leads.
        poll(lambda: (ada.folder / "own.txt").exists() or None, wanted="what the laptop then changes")
        ada.write("own.txt", "of the laptop")
        arrives(server.repositories / "own.txt", "of the laptop")
        ada.wait_in_step()
        found = subprocess.run(["grep", "-rl", key, ada.folder], capture_output=True, text=True, check=False)
        assert found.stdout == ""
        assert os.readlink(ada.folder / "key.pem") == "/run/workhorse/server/syncthing/key.pem"
        device = server.workhorse("sync").partition("Device ID")[2].split()[0]
        poll(lambda: f"ID: {device}" in server.sync_log() or None, wanted="its name in the log")
    finally:
        server.shell("cd /repositories && rm -rf key.pem config .stversions .stignore", user=str(OWNER[0]))
        server.write(".stignore", own)


def test_syncthing_runs_as_the_folder_s_owner_without_a_right(server: SyncStack) -> None:
    said = server.compose("exec", "-T", SYNC, "/bin/sh", "-c", "cat /proc/$(pgrep -nx syncthing)/status").stdout
    status = dict(line.split(":\t", 1) for line in said.splitlines() if ":\t" in line)
    assert status["Uid"].split() == [str(OWNER[0])] * 4
    assert status["Gid"].split() == [str(OWNER[1])] * 4
    assert {status[name].strip("0\n ") for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {""}
    assert server.container_of(SYNC).attrs["HostConfig"]["ReadonlyRootfs"]
    asked = "tr '\\0' ' ' </proc/$(pgrep -ox syncthing)/environ"
    variables = server.compose("exec", "-T", "-u", "{}:{}".format(*OWNER), SYNC, "/bin/sh", "-c", asked).stdout
    assert {word.split("=")[0] for word in variables.split()} == {"PATH", "HOME"}


def test_an_id_that_is_none_is_refused_with_what_mends_it(server: SyncStack, ada: Laptop) -> None:
    mistyped = ada.device[:-1] + ("A" if ada.device[-1] != "A" else "B")
    own = server.workhorse("sync").partition("Device ID")[2].split()[0]
    for typed, reason in ((mistyped, "mistyped letter"), ("ada", "eight groups"), (own, "this server's own")):
        refused = server.compose("exec", "-T", DOOR, "workhorse", "sync", "pair", typed, check=False)
        assert refused.returncode == 1
        assert reason in refused.stderr
    assert "none paired" not in server.workhorse("sync")


def test_a_restart_of_each_keeps_the_pairing(server: SyncStack, ada: Laptop) -> None:
    before = server.workhorse("sync").partition("Device ID")[2]
    for services in ([SYNC], [DOOR], [SYNC, DOOR]):
        server.compose("restart", *services)
        server.up()
        ada.wait_in_step()
        text = f"after the restart of {services}"
        ada.write("restarted.txt", text)
        arrives(server.repositories / "restarted.txt", text)
    assert server.workhorse("sync").partition("Device ID")[2] == before
    server.compose("down")
    server.up()
    ada.wait_in_step()
    assert server.workhorse("sync").partition("Device ID")[2] == before
    assert not list(server.repositories.glob("restarted.sync-conflict-*"))
