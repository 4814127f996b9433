"""Backup and restore: what goes in comes out, whatever happens to the files meanwhile, and nothing else does."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

import pytest

from entrypoint.backup import databases
from entrypoint.backup.archive import END, FORMAT, MANIFEST, VERSION
from entrypoint.backup.databases import Copier
from entrypoint.backup.snapshot import open_snapshot
from entrypoint.commands.backup import backup
from entrypoint.commands.restore import restore
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.home.backup import write_home
from entrypoint.home.environments import conda_list, pip_requirements
from entrypoint.home.folder import tell_folder
from entrypoint.home.restore import answer, finish_restore
from tests.homes import PYTHON, lab, listen
from tests.stacks import REPOSITORY, poll

NOW = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
REGULAR = tarfile.REGTYPE


def new_places(folder: Path) -> Places:
    places = Places(folder)
    places.home.mkdir(parents=True)
    places.state.mkdir(parents=True, mode=0o700)
    places.kernels_socket.parent.mkdir(parents=True)
    return places


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """A server with keys and a home."""
    places = new_places(tmp_path / "old")
    write(places.tls.authority, "key of the authority", 0o600).parent.chmod(0o700)
    write(places.password_hash, "argon2:hash", 0o600)
    write(places.home / ".jupyter" / "settings.json", "{}")
    write(places.home / "bin" / "tool", "#!/bin/sh\n", 0o755)
    return places


@pytest.fixture
def fresh(tmp_path: Path) -> Places:
    """Another machine, after a start."""
    places = new_places(tmp_path / "new")
    write(places.password_hash, "argon2:another", 0o600)
    write(places.home / "venv" / "pyvenv.cfg", "home = /opt\n")
    return places


def write(path: Path, content: str | bytes, mode: int = 0o644) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def backed_up(places: Places) -> tuple[bytes, list[str]]:
    stream, said = io.BytesIO(), list[str]()
    with lab(places):
        backup(places, stream, NOW, said.append)
    return stream.getvalue(), said


def home_part(places: Places, stream: io.BytesIO | None = None) -> bytes:
    """What the kernels' server sends, made in this process."""
    stream = stream or io.BytesIO()
    write_home(places.home, stream, NOW)
    return stream.getvalue()


def restored(archive: bytes, places: Places, replace: bool = False) -> list[str]:
    said: list[str] = []
    with lab(places):
        restore(places, io.BytesIO(archive), replace, said.append)
    return said


def tree(root: Path) -> dict[str, tuple[int, object]]:
    """Everything below a folder: mode, and the content or the target of a link."""

    def content(path: Path) -> object:
        if path.is_symlink():
            return os.readlink(path)
        return path.read_bytes() if path.is_file() else "folder"

    return {str(path.relative_to(root)): (path.lstat().st_mode, content(path)) for path in root.rglob("*")}


def members(archive: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {m.name: cast(BinaryIO, tar.extractfile(m)).read() for m in tar if m.isreg()}


def test_what_goes_in_comes_out(places: Places, fresh: Places) -> None:
    (places.home / "data").symlink_to("/repositories/data")
    (places.home / "dangling").symlink_to("nowhere")
    write(places.home / os.fsdecode(b"latin-\xe9"), "bytes in a name")
    write(places.home / ("long-" * 40) / ("name-" * 40), "x")
    private = write(places.home / ".ssh" / "id", "key", 0o600)
    private.parent.chmod(0o700)
    os.utime(private, (1_000_000_000, 1_000_000_000))
    before = tree(places.home), tree(places.state)
    archive, _ = backed_up(places)
    restored(archive, fresh)
    after = tree(fresh.home), tree(fresh.state)
    assert {name: after[0][name] for name in before[0]} == before[0]
    assert {name: after[1][name] for name in before[1]} == before[1]
    assert set(after[0]) - set(before[0]) == {"venv", "venv/pyvenv.cfg"}
    assert (fresh.home / ".ssh" / "id").stat().st_mtime == 1_000_000_000
    assert stat.S_IMODE(fresh.password_hash.stat().st_mode) == 0o600


def test_the_manifest_comes_first_and_says_what_is_left_out(places: Places) -> None:
    for cache in (".cache/pip/x", ".conda/pkgs/x", "lib/__pycache__/x.pyc", ".local/share/Trash/files/x"):
        write(places.home / cache, "left out")
    os.mkfifo(places.home / "pipe")
    with closing(listen(places.home / "socket")):
        archive, said = backed_up(places)
    assert next(iter(members(archive))) == MANIFEST
    manifest = json.loads(members(archive)[MANIFEST])
    assert manifest == {
        "format": FORMAT,
        "workhorse": VERSION,
        "date": "2026-03-01T12:30+00:00",
        "left_out": {
            "caches": ["home/.cache", "home/.conda/pkgs", "home/lib/__pycache__"],
            "of running programs": ["home/pipe", "home/socket"],
            "trash": ["home/.local/share/Trash"],
        },
    }
    assert b"left out" not in b"".join(content for name, content in members(archive).items() if name != MANIFEST)
    assert "Left out: 3 caches, 2 of running programs, 1 trash." in said[0]
    assert "keys and password hash" in said[-1]


def test_the_version_is_the_image_s() -> None:
    assert f'image.version="{VERSION}"' in (REPOSITORY / "Dockerfile").read_text()


def distribution(folder: Path, name: str, version: str, **files: str) -> None:
    information = folder / "lib/python3.13/site-packages" / f"{name}-{version}.dist-info"
    write(information / "METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    for file, content in {"INSTALLER": "pip\n", **files}.items():
        write(information / file.replace("_json", ".json"), content)


def test_environments_become_lists(places: Places, fresh: Places) -> None:
    venv, stats = places.home / "venv", places.home / ".conda" / "envs" / "stats"
    write(venv / "pyvenv.cfg", "home = /opt\n")
    distribution(venv, "cowsay", "6.1")
    record = {"name": "numpy", "version": "2.3.0", "subdir": "linux-64"}
    write(stats / "conda-meta" / "numpy.json", json.dumps(record | {"channel": "https://c.example/forge/linux-64"}))
    distribution(stats, "numpy", "2.3.0", INSTALLER="conda\n")
    distribution(stats, "rich", "14.0")
    archive, said = backed_up(places)
    assert "2 environments (their lists are kept)" in said[0]
    assert not [name for name in members(archive) if "site-packages" in name or "conda-meta" in name]
    assert "restored-environments/README.txt" in restored(archive, fresh)[-1]
    lists = fresh.home / "restored-environments"
    assert (lists / "venv.txt").read_text() == "cowsay==6.1\n"
    assert (lists / "stats.yml").read_text().splitlines() == [
        'name: "stats"', "channels:", "  - https://c.example/forge",
        "dependencies:", "  - numpy=2.3.0", "  - pip", "  - pip:", "      - rich==14.0",
    ]  # fmt: skip
    readme = (lists / "README.txt").read_text()
    assert "  pip install -r ~/restored-environments/venv.txt\n" in readme
    assert "  conda env create -f ~/restored-environments/stats.yml\n" in readme


def test_a_second_restore_keeps_lists_that_still_wait(places: Places, fresh: Places, tmp_path: Path) -> None:
    write(places.home / "restored-environments" / "venv.txt", "old==1\n")
    write(places.home / "venv" / "pyvenv.cfg", "home = /opt\n")
    distribution(places.home / "venv", "new", "2")
    assert "~/restored-environments-2/README.txt" in restored(backed_up(places)[0], fresh)[-1]
    assert (fresh.home / "restored-environments" / "venv.txt").read_text() == "old==1\n"
    assert (fresh.home / "restored-environments-2" / "venv.txt").read_text() == "new==2\n"


def test_a_requirement_says_where_a_package_came_from(tmp_path: Path) -> None:
    commit = {"url": "https://git.example/a", "vcs_info": {"vcs": "git", "commit_id": "abc"}}
    distribution(tmp_path, "a", "1", direct_url_json=json.dumps(commit))
    distribution(tmp_path, "b", "1", direct_url_json='{"url": "file:///src/b", "dir_info": {"editable": true}}')
    distribution(tmp_path, "c", "1", direct_url_json='{"url": "https://x.example/c.whl", "archive_info": {}}')
    distribution(tmp_path, "d", "1", direct_url_json="broken")
    assert pip_requirements(tmp_path) == [
        "a @ git+https://git.example/a@abc", "-e file:///src/b", "c @ https://x.example/c.whl", "d==1"
    ]  # fmt: skip


def test_a_broken_environment_still_gives_a_list(tmp_path: Path) -> None:
    write(tmp_path / "conda-meta" / "broken.json", "{")
    write(tmp_path / "conda-meta" / "fine.json", '{"name": "fine", "version": "1"}')
    assert "  - fine=1\n" in conda_list(tmp_path)


def test_a_folder_that_is_no_environment_is_kept_as_files(places: Places, fresh: Places) -> None:
    write(places.home / "venv" / "notes.txt", "mine")
    write(places.home / ".conda" / "envs" / "notes" / "x.txt", "mine too")
    said = restored(backed_up(places)[0], fresh)
    assert (fresh.home / "venv" / "notes.txt").read_text() == "mine"
    assert (fresh.home / ".conda" / "envs" / "notes" / "x.txt").read_text() == "mine too"
    assert (fresh.home / "before-restore-1" / "venv" / "pyvenv.cfg").exists()
    assert f"What was there before lies in {fresh.home}/before-restore-1. On a new machine, that is" in " ".join(said)


class Interfering(io.BytesIO):
    """A stream that does something to the files when it receives the first of an archive."""

    def __init__(self, interference: Callable[[], object]) -> None:
        super().__init__()
        self.interference: Callable[[], object] | None = interference

    def write(self, data: Any) -> int:
        if self.interference and self.tell() > 100_000:
            self.interference()
            self.interference = None
        return super().write(data)


@pytest.mark.parametrize("size", [0, 200_000, 9_000_000], ids=["emptied", "cut", "grown"])
def test_a_file_that_changes_while_it_is_read_keeps_the_archive_whole(places: Places, fresh: Places, size: int) -> None:
    content = os.urandom(3_000_000)
    changing = write(places.home / "a", content)
    write(places.home / "b", "after it")
    stream = Interfering(lambda: os.truncate(changing, size))
    with lab(places):
        backup(places, stream, NOW, lambda _: None)
    restored(stream.getvalue(), fresh)
    copy = (fresh.home / "a").read_bytes()
    assert len(copy) == len(content) and copy[:100_000] == content[:100_000]
    assert (fresh.home / "b").read_text() == "after it"
    if size < len(content):
        notes = json.loads(members(stream.getvalue())[END])["notes"]
        assert notes == {"home/a": "shrank while it was read; zeros fill it up"}


def test_files_that_go_or_become_something_else_are_no_fault(places: Places) -> None:
    write(places.home / "a", os.urandom(300_000))
    for name in ("gone", "now-a-pipe", "now-a-link", "stays"):
        write(places.home / name, name)

    def interfere() -> None:
        for name in ("gone", "now-a-pipe", "now-a-link"):
            (places.home / name).unlink()
        os.mkfifo(places.home / "now-a-pipe")
        (places.home / "now-a-link").symlink_to("/etc/shadow")

    with tarfile.open(fileobj=io.BytesIO(home_part(places, Interfering(interfere)))) as tar:
        kinds = {member.name: member.type for member in tar}
        assert tar.getmember("home/now-a-link").linkname == "/etc/shadow"
    assert kinds["home/stays"] == REGULAR
    assert "home/gone" not in kinds and "home/now-a-pipe" not in kinds


def new_database(path: Path, journal: str) -> sqlite3.Connection:
    database = sqlite3.connect(path)
    database.execute(f"PRAGMA journal_mode={journal}")
    database.execute("CREATE TABLE pairs (a, b, filler)")
    database.commit()
    return database


# Each transaction keeps both columns equal.
WRITE_PAIRS = """
import sqlite3, sys
database, number = sqlite3.connect(sys.argv[1], timeout=600), 0
database.execute("PRAGMA wal_autocheckpoint=20")
while True:
    number += 1
    with database:
        database.execute("INSERT INTO pairs VALUES (?, 0, randomblob(5000))", [number])
        database.execute("UPDATE pairs SET b = a")
        database.execute("DELETE FROM pairs WHERE a < ?", [number - 50])
    if number == 1: print(flush=True)
"""


@pytest.fixture(params=["wal", "delete"])
def written_database(places: Places, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A database into which another program writes without a pause."""
    path = places.home / "history.sqlite"
    new_database(path, request.param).close()
    with subprocess.Popen([sys.executable, "-c", WRITE_PAIRS, path], stdout=subprocess.PIPE) as writer:
        assert writer.stdout and writer.stdout.readline()
        yield path
        assert writer.poll() is None
        writer.kill()


def test_a_database_that_is_being_written_is_copied_as_of_one_moment(
    places: Places, fresh: Places, written_database: Path
) -> None:
    for _ in range(5):
        archive, said = backed_up(places)
        assert len(said) == 2, said
        restored(archive, fresh, replace=True)
        assert not list(fresh.home.glob("history.sqlite-*"))
        with closing(sqlite3.connect(fresh.home / written_database.name)) as copy:
            assert copy.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert copy.execute("SELECT count(*) FROM pairs WHERE a != b").fetchall() == [(0,)]


def test_a_backup_leaves_nothing_beside_a_resting_database(places: Places) -> None:
    new_database(places.home / "wal.db", "wal").close()
    before = tree(places.home)
    backed_up(places)
    assert tree(places.home) == before


def test_a_locked_or_broken_database_is_copied_as_it_lies(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoint.backup.databases.LEAST_WAIT_SECONDS", 0.2)
    monkeypatch.setattr("entrypoint.home.backup.Copier", lambda scratch: Copier(scratch, 0.2))
    write(places.home / "broken.db", b"SQLite format 3\0" + b"no database" * 500)
    with closing(new_database(places.home / "locked.db", "delete")) as database:
        database.execute("BEGIN EXCLUSIVE")
        part = members(home_part(places))
        database.rollback()
    notes = json.loads(part[END])["notes"]
    assert "copied as it lay, not as of one moment: file is not a database" in notes["home/broken.db"]
    assert "copied as it lay, not as of one moment: " in notes["home/locked.db"]
    for name in ("broken.db", "locked.db"):
        assert part[f"home/{name}"] == (places.home / name).read_bytes()


def test_a_database_is_copied_beside_it_and_a_kill_leaves_no_copy(places: Places) -> None:
    """In memory the copy would take what kernels need."""
    with closing(new_database(places.home / "large.db", "delete")) as database, database:
        database.execute("INSERT INTO pairs VALUES (1, 1, randomblob(3000000))")
    before = tree(places.home)
    command = [*PYTHON, "-m", "entrypoint.home.backup", str(places.home)]
    # Its pipe is never emptied, so that it stands still in mid-copy.
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        copy = poll(lambda: next(nameless_files(process.pid), None), wanted="the copy of the database")
        process.kill()
    assert copy.parent == places.home
    assert tree(places.home) == before


def nameless_files(pid: int) -> Iterator[Path]:
    """The files of a process that lie in no folder any more."""
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            target = os.readlink(link)
            if target.startswith("/") and target.endswith(" (deleted)"):
                yield Path(target)


def test_a_snapshot_of_something_else_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(FileNotFoundError), open_snapshot("pipe", folder, Copier(tmp_path)):
        pass
    os.close(folder)


def test_a_home_in_use_is_left_alone_unless_told_and_then_moved(places: Places, fresh: Places) -> None:
    write(fresh.home / "work.txt", "hours")
    before = tree(fresh.home)
    archive, _ = backed_up(places)
    with pytest.raises(WorkhorseError, match=r"in use: it holds work.txt\. Nothing.*\n.*restore --replace <"):
        restored(archive, fresh)
    assert tree(fresh.home) == before
    restored(archive, fresh, replace=True)
    restored(archive, fresh, replace=True)
    assert (fresh.home / "before-restore-1" / "work.txt").read_text() == "hours"
    assert (fresh.home / "before-restore-2" / "bin" / "tool").exists()
    assert (fresh.state / "before-restore-1" / "password-hash").read_text() == "argon2:another"
    assert not [name for name in members(backed_up(fresh)[0]) if "before-restore" in name]


def test_a_home_that_has_only_seen_a_start_is_not_in_use(places: Places, fresh: Places) -> None:
    (fresh.repositories).mkdir()
    write(fresh.repositories / "copied.ipynb", "{}")
    tell_folder(fresh, "./repositories")
    assert list(fresh.home.iterdir())
    restored(backed_up(places)[0], fresh)


def test_a_running_server_or_restore_keeps_the_other_away(places: Places, fresh: Places) -> None:
    archive, _ = backed_up(places)
    with lock.shared(fresh.state), pytest.raises(WorkhorseError, match=r"The server is running.*\n.*stop workhorse"):
        restored(archive, fresh)
    with lock.claimed(fresh.state), pytest.raises(WorkhorseError, match="is being restored"):
        lock.share(fresh.state)
    with lock.shared(fresh.state):
        backed_up(fresh)


def test_a_server_keeps_its_lock_through_what_it_becomes(places: Places) -> None:
    script = "import os, sys, pathlib; from entrypoint.files import lock; lock.share(pathlib.Path(sys.argv[1])); " \
             "print(flush=True); os.execvp('cat', ['cat'])"  # fmt: skip
    command = [sys.executable, "-c", script, str(places.state)]
    with subprocess.Popen(command, cwd=REPOSITORY, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin and server.stdout and server.stdout.readline() == b"\n"
        with pytest.raises(WorkhorseError, match="The server is running"), lock.claimed(places.state):
            pass
        server.stdin.close()
        server.wait()
        with lock.claimed(places.state):
            pass


def test_a_lock_ends_with_its_holder_whatever_was_forked_meanwhile(fresh: Places) -> None:
    for held in (lock.claimed, lock.shared):
        with held(fresh.state):
            child = os.fork()
            if child == 0:
                signal.pause()
        try:
            with lock.claimed(fresh.state):
                pass
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def refused(archive: bytes, places: Places, message: str) -> None:
    """Asserts that an archive is refused in one error, and that everything is as it was."""
    root = places.root
    before, outside = tree(root), tree(root.parent)
    with pytest.raises(WorkhorseError, match=message) as error:
        restored(archive, places)
    assert len(str(error.value).splitlines()) == 2
    assert "Everything is as it was" in str(error.value)
    assert (tree(root), tree(root.parent)) == (before, outside)


@pytest.mark.parametrize("tenths", range(10))
def test_a_cut_archive_changes_nothing(places: Places, fresh: Places, tenths: int) -> None:
    write(places.home / "big", os.urandom(500_000))
    archive, _ = backed_up(places)
    refused(archive[: len(archive) * tenths // 10], fresh, "not a whole Workhorse backup")
    refused(archive[:-1], fresh, "not a whole Workhorse backup")


@pytest.mark.parametrize("tenths", range(10))
def test_a_flipped_bit_changes_nothing(places: Places, fresh: Places, tenths: int) -> None:
    write(places.home / "big", os.urandom(500_000))
    archive = bytearray(backed_up(places)[0])
    archive[len(archive) * tenths // 10 + (10 if tenths == 0 else 0)] ^= 4
    refused(bytes(archive), fresh, "not a whole Workhorse backup")


def hand_made(*entries: tuple[str, bytes, str], manifest: object = None, files: int = -1) -> bytes:
    """An archive as somebody else might make it: names, types, and the targets of links."""
    stream = io.BytesIO()
    with gzip.GzipFile("", "wb", 9, stream) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:

        def add(name: str, kind: bytes, target: str, content: bytes) -> None:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.size, member.mode = kind, target, len(content), 0o6777
            tar.addfile(member, io.BytesIO(content))

        add(MANIFEST, REGULAR, "", json.dumps(manifest or {"format": FORMAT}).encode())
        for name, kind, target in entries:
            add(name, kind, target, b"evil" if kind == REGULAR else b"")
        count = sum(kind == REGULAR for _, kind, _ in entries) if files < 0 else files
        add(END, REGULAR, "", json.dumps({"files": count}).encode())
    return stream.getvalue()


@pytest.mark.parametrize(
    "entries",
    [
        [("/etc/evil", REGULAR, "")],
        [("../evil", REGULAR, "")],
        [("home/../../evil", REGULAR, "")],
        [("home/./evil", REGULAR, "")],
        [("home", REGULAR, "")],
        [("elsewhere/evil", REGULAR, "")],
        [("environments/../evil", REGULAR, "")],
        [("environments/folder/evil", REGULAR, "")],
        [("environments/link", tarfile.SYMTYPE, "/etc")],
        [("home/device", tarfile.CHRTYPE, "")],
        [("home/disk", tarfile.BLKTYPE, "")],
        [("home/pipe", tarfile.FIFOTYPE, "")],
        [("home/hard", tarfile.LNKTYPE, "/etc/passwd")],
        [("home/hard", tarfile.LNKTYPE, "../state/tls")],
        [("home/sparse", tarfile.GNUTYPE_SPARSE, "")],
        [("home/link", tarfile.SYMTYPE, "../.."), ("home/link/evil", REGULAR, "")],
        [("home/link", tarfile.SYMTYPE, "../.."), ("home/link/evil", tarfile.SYMTYPE, "/etc")],
        [("home/link", tarfile.SYMTYPE, "../.."), ("home/link/evil", tarfile.DIRTYPE, "")],
        [("home/file", REGULAR, ""), ("home/file", tarfile.SYMTYPE, "/etc")],
        [("home/file", REGULAR, ""), ("home/file/evil", REGULAR, "")],
    ],
    ids=lambda entries: "-then-".join(f"{name}" for name, _, _ in entries),
)
def test_an_archive_that_reaches_elsewhere_is_refused(fresh: Places, entries: list[tuple[str, bytes, str]]) -> None:
    refused(hand_made(*entries), fresh, "not a whole Workhorse backup")


@pytest.mark.parametrize(
    "archive",
    [b"", b"PK\x03\x04", gzip.compress(b""), gzip.compress(b"x" * 5000), hand_made(files=1), hand_made(manifest=[1]),
     hand_made(manifest={"format": "new"}), hand_made() + b"more"],
    ids=["empty", "zip", "empty-gzip", "no-tar", "count", "list", "word", "trailing"],
)  # fmt: skip
def test_anything_else_is_refused(fresh: Places, archive: bytes) -> None:
    refused(archive, fresh, "not a whole Workhorse backup")


def test_a_newer_format_is_named(fresh: Places) -> None:
    newer = hand_made(manifest={"format": FORMAT + 1, "workhorse": "9.0"})
    refused(
        newer, fresh, rf"made by Workhorse 9\.0, in format {FORMAT + 1}; this Workhorse reads formats up to {FORMAT}"
    )


def test_secrets_are_private_whatever_the_archive_says(fresh: Places) -> None:
    entries = [("state/tls", tarfile.DIRTYPE, ""), ("state/tls/authority.pem", REGULAR, ""), ("home/x", REGULAR, "")]
    restored(hand_made(*entries), fresh)
    assert stat.S_IMODE((fresh.state / "tls").stat().st_mode) == 0o700
    assert stat.S_IMODE(fresh.tls.authority.stat().st_mode) & 0o077 == 0
    assert stat.S_IMODE((fresh.home / "x").stat().st_mode) == 0o755


def test_what_a_killed_restore_left_is_cleared(places: Places, fresh: Places) -> None:
    write(fresh.home / ".restoring-killed" / "half", "half")
    restored(backed_up(places)[0], fresh)
    assert not list(fresh.home.glob(".restoring-*"))


def failing_rename(name: str) -> Callable[[Path, Path], Path]:
    rename = Path.rename

    def rename_or_fail(path: Path, target: Path) -> Path:
        if path.name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return rename(path, target)

    return rename_or_fail


def test_a_move_of_the_home_s_that_fails_half_way_is_taken_back(
    places: Places, fresh: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    part, before = home_part(places), tree(fresh.root)
    monkeypatch.setattr(Path, "rename", failing_rename("bin"))
    said = answer(fresh.home, False, io.BytesIO(part), io.BytesIO())
    assert said["reason"] == "unwritable" and "Permission denied" in said["text"]
    assert tree(fresh.root) == before


def test_a_move_of_the_state_s_that_fails_is_told_until_the_restore_is_repeated(
    places: Places, fresh: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive, before = backed_up(places)[0], tree(fresh.state)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", failing_rename("tls"))
        with pytest.raises(WorkhorseError, match="The home is restored, and the server's keys and password can't be"):
            restored(archive, fresh)
    assert {name: here for name, here in tree(fresh.state).items() if name != lock.HALF_RESTORED} == before
    with pytest.raises(WorkhorseError, match="killed half way"):
        lock.share(fresh.state)
    restored(archive, fresh)
    assert fresh.tls.authority.read_text() == "key of the authority"


# Kills itself at one of its moves.
DYING = """
import os, signal, sys
from pathlib import Path
rename, left = os.rename, int(sys.argv[2])
def rename_or_die(path, target, **folders):
    global left
    if left == 0: os.kill(os.getpid(), signal.SIGKILL)
    left -= 1
    return rename(path, target, **folders)
os.rename = rename_or_die
"""
RESTORE = (
    DYING
    + """
from entrypoint.commands.restore import restore
from entrypoint.files.places import Places
restore(Places(Path(sys.argv[1])), sys.stdin.buffer, True, print)
"""
)
RESTORE_HOME = (
    DYING
    + """
from entrypoint.home.restore import answer
answer(Path(sys.argv[1]), True, sys.stdin.buffer, sys.stdout.buffer)
"""
)


def is_killed(script: str, content: bytes, folder: Path, moves: int) -> bool:
    """Restores, and is killed after so many moves; false if that was enough."""
    command = [sys.executable, "-c", script, str(folder), str(moves)]
    result = subprocess.run(command, input=content, capture_output=True, cwd=REPOSITORY, check=False)
    assert result.returncode in (0, -signal.SIGKILL), result.stderr
    return result.returncode != 0


def killed_restore(archive: bytes, places: Places, moves: int) -> bool:
    with lab(places):
        return is_killed(RESTORE, archive, places.root, moves)


def used_places(folder: Path) -> Places:
    places = new_places(folder)
    write(places.password_hash, "argon2:another", 0o600)
    write(places.home / "work.txt", "hours")
    return places


def test_a_killed_restore_is_told_at_the_next_start_and_mended_by_another(places: Places, tmp_path: Path) -> None:
    archive, moves = backed_up(places)[0], 0
    while killed_restore(archive, used := used_places(tmp_path / f"used-{moves}"), moves):
        # At first the mark itself has not been written yet, and before it the new secret for cookies.
        if moves < 2:
            assert used.password_hash.read_text() == "argon2:another"
        else:
            with pytest.raises(WorkhorseError, match=r"killed half way.*\n.*workhorse restore <"):
                lock.share(used.state)
            restored(archive, used)
        with lock.shared(used.state):
            pass
        moves += 1
    # The secret and the mark, what is moved aside, and a volume's worth of files to their places.
    assert moves >= 5
    for number in range(2, moves + 1):
        used = Places(tmp_path / f"used-{number}")
        for volume, root in ((places.state, used.state), (places.home, used.home)):
            after = tree(root)
            assert {name: after[name] for name in tree(volume)} == tree(volume)
        assert [file.read_text() for file in used.home.glob("before-restore-*/work.txt")] == ["hours"]


def test_a_lab_that_is_killed_anywhere_has_the_home_of_before_or_of_after(places: Places, tmp_path: Path) -> None:
    write(places.home / "work.txt", "restored")
    part, moves = home_part(places), 0
    after = tree(places.home)
    while is_killed(RESTORE_HOME, part, (used := used_places(tmp_path / f"used-{moves}")).home, moves):
        before = tree(used_places(tmp_path / f"before-{moves}").home)
        is_half = (used.home / lock.HALF_RESTORED).exists()
        told = finish_restore(used.home)
        assert bool(told) == is_half
        here = {name: one for name, one in tree(used.home).items() if not name.startswith((".restoring-", "..half-"))}
        if is_half:
            assert {name: here[name] for name in after} == after
            assert (used.home / "before-restore-1" / "work.txt").read_text() == "hours"
            assert not list(used.home.glob(".restoring-*"))
        else:
            assert here == before
        assert finish_restore(used.home) is None
        moves += 1
    # The journal, once for each half, and what is moved.
    assert moves >= 5


def test_a_failed_restore_doesn_t_take_an_earlier_one_s_mark_away(places: Places, fresh: Places) -> None:
    write(fresh.state / lock.HALF_RESTORED, "")
    with pytest.raises(WorkhorseError, match="not a whole Workhorse backup"):
        restored(b"", fresh)
    with pytest.raises(WorkhorseError, match="killed half way"):
        backed_up(fresh)
    restored(backed_up(places)[0], fresh)
    assert len(backed_up(fresh)[0]) > 0


def test_a_terminal_is_told_the_command(places: Places) -> None:
    _, terminal = os.openpty()
    with open(terminal, "r+b", buffering=0) as stream:
        with pytest.raises(WorkhorseError, match="exec -T workhorse workhorse backup > workhorse-backup"):
            backup(places, cast(BinaryIO, stream), NOW, print)
        with pytest.raises(WorkhorseError, match="run --rm -T workhorse workhorse restore < workhorse-backup"):
            restore(places, cast(BinaryIO, stream), False, print)


def test_a_reader_that_goes_away_is_one_error(places: Places) -> None:
    # More than the pipes and buffers on its way take, so that the server's child is cut while it writes.
    write(places.home / "big", os.urandom(20_000_000))
    with lab(places):
        for _ in range(5):
            reading, writing = os.pipe()
            os.close(reading)
            broken = pytest.raises(WorkhorseError, match="not complete: Broken pipe")
            with open(writing, "wb", buffering=0) as stream, broken:
                backup(places, cast(BinaryIO, stream), NOW, print)


def test_a_database_that_another_keeps_locked_is_waited_for_and_not_for_ever(tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "db", isolation_level=None)
    other.execute("CREATE TABLE t (a)")
    other.execute("BEGIN EXCLUSIVE")
    told: list[bool] = []

    def tell() -> None:
        told.append(True)
        if len(told) == 50:
            other.rollback()

    with contextlib.closing(sqlite3.connect(tmp_path / "db", timeout=0, isolation_level=None)) as database:
        databases._hold(database, 300, tell)
        assert len(told) == 50
        database.rollback()
        other.execute("BEGIN EXCLUSIVE")
        with pytest.raises(TimeoutError, match="kept it locked"):
            databases._hold(database, -1, tell)
    other.close()
