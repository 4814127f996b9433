"""Backup and restore among what a notebook may leave in the volumes, and archives that somebody made to do harm."""

from __future__ import annotations

import gzip
import io
import json
import os
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entrypoint.backup.archive import END, FORMAT, MANIFEST
from entrypoint.commands.restore import restore
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown
from entrypoint.home.environments import find_environments
from tests.homes import Speak, lab, listen, odd_lab
from tests.stacks import REPOSITORY
from tests.unit.backup.test_backup import (
    backed_up,
    fresh,
    home_part,
    members,
    new_places,
    places,
    refused,
    restored,
    write,
)
from tests.unit.backup.test_hostile_lab import HEAD, NOTHING, one, text

__all__ = ["fresh", "places"]
SECONDS, PEAK_KB = 60, 200_000
FLOOD_MEMBERS = 100_000
HOSTILE = "\x1b]0;x\x07\x9b\u202e\u2028\udcff"

# Door and lab in one process; prints the most memory that it and its children took, in kB.
RUN = """
import contextlib, io, resource, sys
from datetime import datetime, UTC
from pathlib import Path
from entrypoint.commands.backup import backup
from entrypoint.commands.restore import restore
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from tests.homes import lab
say, places = lambda line: print(line, file=sys.stderr), Places(Path(sys.argv[2]))
try:
    with contextlib.nullcontext() if sys.argv[1] == "door" else lab(places):
        if sys.argv[1] != "restore":
            with open(sys.argv[3], "wb") as file: backup(places, file, datetime.now(UTC), say)
        else:
            with open(sys.argv[3], "rb") as file: restore(places, file, True, say)
except WorkhorseError as error:
    say(str(error))
# Not ru_maxrss of itself, which begins with what the process had that started this one.
own = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM:"))
print(max(own, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""


def run(command: str, root: Path, archive: Path) -> str:
    """What a command said; it ended, without a traceback, and took little memory."""
    words = [sys.executable, "-c", RUN, command, str(root), str(archive)]
    result = subprocess.run(words, cwd=REPOSITORY, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert result.returncode == 0 and "Traceback" not in result.stderr, result.stderr
    assert int(result.stdout) < PEAK_KB
    assert all(line.isprintable() for line in result.stderr.splitlines()), result.stderr
    return result.stderr


def make_socket(path: Path) -> None:
    listen(path).close()


def make_deep(path: Path, levels: int = 1500) -> None:
    path.mkdir()
    descriptor = os.open(path, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", dir_fd=descriptor)
        below = os.open("d", os.O_RDONLY, dir_fd=descriptor)
        os.close(descriptor)
        descriptor = below
    os.close(os.open("bottom", os.O_CREAT | os.O_WRONLY, dir_fd=descriptor))
    os.close(descriptor)


def make_sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(1 << 30)


ODDITIES: dict[str, Callable[[Path], object]] = {
    "link": lambda path: path.symlink_to("/etc/passwd"),
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "loop": lambda path: path.symlink_to(path.name),
    "pipe": os.mkfifo,
    "socket": make_socket,
    "folder": Path.mkdir,
    "noise": lambda path: path.write_bytes(b"\xff\xfe\x00" * 1000),
    "database": lambda path: path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000),
    "sparse": make_sparse,
    "unreadable": lambda path: path.mkdir(mode=0),
    "deep": make_deep,
    "too deep": lambda path: make_deep(path, 2500),
}
# What is read by name or judged by it, and what isn't.
NAMES = (
    "home/.conda", "home/.conda/envs/e", "home/.conda/envs/e/conda-meta", "home/.conda/envs/e/conda-meta/x.json",
    "home/venv", "home/venv/pyvenv.cfg", "home/venv/lib/python3.13/site-packages/a-1.dist-info/METADATA",
    "home/venv/lib/python3.13/site-packages/a-1.dist-info", "home/x.db", "home/x.db-journal", "home/x.db-wal",
    "home/restored-environments", "home/before-restore-1", "home/.restoring-x", f"home/{HOSTILE}",
    "state/cookie-secret", "state/tls", "state/.half-restored-x", "state/.restoring-y",
)  # fmt: skip


def plant(root: Path, name: str, oddity: str) -> None:
    volume, _, rest = name.partition("/")
    path = (Places(root).home if volume == "home" else Places(root).state) / rest
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        ODDITIES[oddity](path)
    except OSError:
        # Another oddity of this example stands in its way.
        return


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(sorted(ODDITIES))), min_size=1, max_size=6))
def test_whatever_lies_there_is_backed_up_and_restored(
    tmp_path_factory: pytest.TempPathFactory, planted: list[tuple[str, str]]
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    old, new = new_places(folder / "old"), new_places(folder / "new")
    write(old.home / "work.txt", "hours")
    write(old.home / "x.db", "")
    for name, oddity in planted:
        plant(old.root, name, oddity)
        # A gigabyte in the place of what is moved aside is only moved.
        plant(new.root, name, oddity)
    run("backup", old.root, folder / "archive")
    said = run("restore", new.root, folder / "archive")
    assert "Restored" in said, said
    assert (new.home / "work.txt").read_text() == "hours"
    subprocess.run(["rm", "-rf", folder], check=True)


def test_a_pipe_beside_a_database_holds_nothing_up(places: Places, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entrypoint.backup.databases.SILENCE_SECONDS", 0.5)
    import sqlite3

    with closing(sqlite3.connect(places.home / "x.db")) as database:
        database.execute("CREATE TABLE t (a)")
    os.mkfifo(places.home / "x.db-journal")
    assert members(home_part(places))["home/x.db"] == (places.home / "x.db").read_bytes()


def test_a_folder_of_1500_levels_comes_back(tmp_path: Path) -> None:
    old, new = new_places(tmp_path / "old"), new_places(tmp_path / "new")
    make_deep(old.home / "deep")
    run("backup", old.root, tmp_path / "archive")
    run("restore", new.root, tmp_path / "archive")
    found = subprocess.run(["find", new.home, "-name", "bottom"], capture_output=True, text=True, check=True).stdout
    assert found.count("/d/") + found.count("/d") >= 1500
    subprocess.run(["rm", "-rf", tmp_path / "old", tmp_path / "new"], check=True)


# Swaps a folder and a file with links to what lies outside, as fast as it can.
SWAP = """
import os, sys
home, outside = sys.argv[1:]
os.chdir(home)
print(flush=True)
while True:
    for name, target in (("folder", outside), ("file", outside + "/secret")):
        os.symlink(target, name + ".new")
        os.rename(name, name + ".kept"); os.rename(name + ".new", name)
        os.unlink(name); os.rename(name + ".kept", name)
"""


def test_a_link_that_is_swapped_in_leads_nowhere(places: Places, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "secret", "of others")
    write(places.home / "folder" / "secret", "mine")
    write(places.home / "file", "mine")
    words = [sys.executable, "-c", SWAP, str(places.home), str(tmp_path / "outside")]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as swapping:
        assert swapping.stdout and swapping.stdout.readline()
        archives = [home_part(places) for _ in range(100)]
        assert swapping.poll() is None
        swapping.kill()
    assert not [name for archive in archives for name, content in members(archive).items() if b"of others" in content]


def test_nothing_of_an_environment_behind_a_link_is_listed(places: Places, tmp_path: Path) -> None:
    write(tmp_path / "outside" / "envs" / "e" / "conda-meta" / "x.json", "{}")
    (places.home / ".conda").symlink_to(tmp_path / "outside")
    assert find_environments(places.home) == []


def test_an_environment_that_can_t_be_listed_is_told(places: Places) -> None:
    write(places.home / "venv" / "pyvenv.cfg", "home = /opt\n")
    metadata = places.home / "venv/lib/python3.13/site-packages/a-1.dist-info/METADATA"
    metadata.parent.mkdir(parents=True)
    metadata.symlink_to("/dev/zero")
    _, said = backed_up(places)
    assert any("home/venv: left out, and there is no list of its packages" in line for line in said), said


def endless_members() -> Iterator[bytes]:
    yield HEAD + text(MANIFEST, NOTHING)
    for thousand in range(FLOOD_MEMBERS // 1000):
        yield b"".join(one(f"home/{thousand:09d}-{number:03d}") for number in range(1000))


def endless_content() -> Iterator[bytes]:
    yield HEAD + text(MANIFEST, NOTHING) + one("home/x", pax_headers={"size": str(1 << 60)})
    for _ in range(1 << 8):
        yield bytes(1 << 20)


def endless_header() -> Iterator[bytes]:
    yield HEAD + text(MANIFEST, NOTHING) + header_of(tarfile.XHDTYPE, 1 << 34)
    for _ in range(1 << 8):
        yield bytes(1 << 20)


def endless_list() -> Iterator[bytes]:
    yield HEAD + text(MANIFEST, NOTHING) + one("environments/a.yml", pax_headers={"size": str(1 << 40)})
    for _ in range(1 << 8):
        yield bytes(1 << 20)


def endless_head() -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\n"
    for _ in range(1 << 8):
        yield b"a: b\r\n" * 100_000


def flooding(flood: Callable[[], Iterator[bytes]]) -> Speak:
    def speak(connection: socket.socket) -> None:
        connection.recv(65536)
        for each in flood():
            connection.sendall(each)

    return speak


@pytest.mark.parametrize("flood", [endless_members, endless_content, endless_header, endless_list, endless_head])
def test_whatever_a_lab_floods_the_door_with_takes_little_memory(
    tmp_path: Path, flood: Callable[[], Iterator[bytes]]
) -> None:
    places = new_places(tmp_path / "old")
    with odd_lab(places, flooding(flood)):
        said = run("door", places.root, tmp_path / "archive")
    assert "The backup is not complete" in said
    assert not is_whole(tmp_path / "archive")


def is_whole(archive: Path) -> bool:
    try:
        with gzip.open(archive) as file:
            while file.read(1 << 20):
                pass
    except EOFError:
        return False
    return archive.stat().st_size > 0


def raw_archive(manifest: bytes, *extra: tuple[tarfile.TarInfo, bytes]) -> bytes:
    stream = io.BytesIO()
    with gzip.GzipFile("", "wb", 6, stream) as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for member, content in [(tarfile.TarInfo(MANIFEST), manifest), *extra, (tarfile.TarInfo(END), b'{"files": 0}')]:
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)
FIELDS = st.fixed_dictionaries({}, optional={"format": JSON | st.just(FORMAT), "workhorse": JSON, "date": JSON})
MANIFESTS = (
    st.binary(max_size=50)
    | FIELDS.map(lambda fields: json.dumps(fields).encode())
    | st.sampled_from([
        b"[" * 100_000, b'{"a":' * 100_000, b'{"format": 1' + b"0" * 4000 + b"}", b'{"format": 1' + b"0" * 5000 + b"}",
        b'{"format": 1, "date": "\\u001b[2J\\u202e\\ud800", "workhorse": 7}', b'{"format": "\\ud800"}', b"\xff\xfe{",
        b'{"format": NaN}', b'{"format": true}', b'{"format": -1}', b'{"format": 99, "workhorse": "\\u009b2J"}',
    ])
)  # fmt: skip


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(MANIFESTS)
def test_any_manifest_is_taken_or_refused_in_one_error(
    tmp_path_factory: pytest.TempPathFactory, manifest: bytes
) -> None:
    target = new_places(tmp_path_factory.mktemp("manifest"))
    said: list[str] = []
    archive = raw_archive(manifest)
    try:
        with lab(target):
            restore(target, io.BytesIO(archive), True, said.append)
    except WorkhorseError as error:
        said = str(error).splitlines()
        assert len(said) == 2 and len(said[0]) < 3000
    assert all(line.isprintable() for line in said), said


def header_of(kind: bytes, size: int) -> bytes:
    """The archive's bytes for a header of a kind, before so many bytes of its content."""
    member = tarfile.TarInfo("x")
    member.type, member.size = kind, size
    return member.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize(
    "kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK], ids=str
)
def test_a_header_of_256_megabytes_takes_no_memory(tmp_path: Path, kind: bytes) -> None:
    with gzip.open(tmp_path / "archive", "wb", 1) as file:
        file.write(gzip.decompress(raw_archive(b'{"format": 1}'))[:1024])
        file.write(header_of(kind, 1 << 28))
        for _ in range(1 << 6):
            file.write(b"x" * (1 << 22))
    assert "not a whole Workhorse backup" in run("restore", new_places(tmp_path / "new").root, tmp_path / "archive")


def test_lists_that_are_bombs_are_refused_in_little_memory(tmp_path: Path) -> None:
    lists = [(tarfile.TarInfo(f"environments/{number}.txt"), bytes(15_000_000)) for number in range(20)]
    (tmp_path / "archive").write_bytes(raw_archive(b'{"format": 1}', *lists))
    said = run("restore", new_places(tmp_path / "new").root, tmp_path / "archive")
    assert "its lists of environments are too long" in said


def test_a_list_of_a_hostile_name_is_told_in_print(fresh: Places) -> None:
    archive = raw_archive(b'{"format": 1}', (tarfile.TarInfo(f"environments/{HOSTILE}.txt"), b"a==1\n"))
    restored(archive, fresh)
    readme = (fresh.home / "restored-environments" / "README.txt").read_text()
    assert all(line.isprintable() for line in readme.splitlines())


def test_a_name_in_a_message_is_printable(fresh: Places) -> None:
    refused(raw_archive(b'{"format": 1}', (tarfile.TarInfo(f"home/../{HOSTILE}"), b"")), fresh, "is no place in")


def test_a_restore_signs_everybody_out(places: Places, fresh: Places) -> None:
    write(places.cookie_secret, "a" * 64, 0o600)
    write(places.device_secret, "b" * 64, 0o600)
    said = restored(backed_up(places)[0], fresh)
    assert fresh.cookie_secret.read_text() not in ("a" * 64, "")
    assert fresh.device_secret.read_text() == "b" * 64
    assert any("signed out" in line for line in said)


@pytest.mark.parametrize("mark", [Path.mkdir, lambda path: path.symlink_to("nowhere")], ids=["folder", "link"])
def test_an_odd_mark_of_a_killed_restore_goes_with_the_next(
    places: Places, fresh: Places, mark: Callable[[Path], object]
) -> None:
    mark(fresh.state / lock.HALF_RESTORED)
    restored(backed_up(places)[0], fresh)
    with lock.shared(fresh.state):
        pass


@given(st.text())
def test_what_is_shown_is_printable_and_bounded(text: str) -> None:
    assert shown(text).isprintable() and len(shown(text * 100)) < 3000
