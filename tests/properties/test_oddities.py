"""Whatever stands in the place of a file that a start, a command or the server reads: it ends, and soon."""

from __future__ import annotations

import argparse
import logging
import os
import re
import resource
import shutil
import signal
import stat
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.certificates import commands as certificate_commands
from entrypoint.certificates.keeping import keep_certificates
from entrypoint.certificates.own import hold, keep_own_certificate, own_files
from entrypoint.certificates.sharing import is_shared
from entrypoint.commands.cli import sign_out
from entrypoint.door.config import for_the_server, read_config, write_config
from entrypoint.door.state import (
    keep_cookie_secret,
    keep_layout,
    keep_open_logins,
    keep_password,
    write_password_hash,
)
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import Owner, write_private
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home import home
from entrypoint.home.folder import host_folder_of, kept_in, tell_folder
from entrypoint.home.home import judge_home
from entrypoint.jupyter.config import write_config as write_jupyter_config
from entrypoint.jupyter.start import clear_way
from entrypoint.kernels.report import find_notebooks_folder, what_is_amiss
from entrypoint.lab.config import lab_config
from entrypoint.login import enrolment
from entrypoint.login.credentials import read_credentials
from entrypoint.login.guesses import read_limiter
from entrypoint.login.logins import Login, as_kept, read_logins
from entrypoint.login.open_logins import OpenLogins, read_open_logins
from entrypoint.login.second_factor import new_second_factor, to_json
from entrypoint.renewal.attempts import Attempt, read_attempts, write_attempts
from entrypoint.renewal.keeper import CertificateKeeper
from entrypoint.renewal.plan import make_plan
from entrypoint.report import audit
from entrypoint.report.installation import keep_installation
from entrypoint.report.message import message
from entrypoint.report.status import read_status, status_now
from entrypoint.settings.known import read_known_settings, write_known_settings
from entrypoint.settings.settings import from_environ
from entrypoint.system.health import reason_unhealthy
from tests.deep import deep_folder
from tests.homes import listen
from tests.pki import University
from tests.swaps import swapping

NAME = "lab.example.org"
ENVIRON = {
    "SERVER_NAMES": NAME, "CERTIFICATE_FILE": "lab.pem", "KEY_FILE": "lab.key", "TOTP": "on",
    "LETSENCRYPT_EMAIL": "ada@example.org",
}  # fmt: skip
NOW = datetime.now(UTC)
SECONDS, MEMORY = 20, 256 * 2**20
USER = 1234
CLOSED = "for-root-s-eyes"
SIGNING = b"what signs logins"
Step = Callable[[Places], None]
Failures = tuple[type[Exception], ...]
Plant = Callable[[Path, Path], AbstractContextManager[None]]


def certbot(places: Places) -> Path:
    return places.tls.certbot / "letsencrypt"


def places_at_the_door(places: Places) -> Iterator[Path]:
    """Every file, and every folder of ours, that the door reads or writes; some lie with a person on the host."""
    yield from (places.layout, places.password_hash, places.password_in_log, places.cookie_secret)
    yield from (places.device_secret, places.second_factor, places.logins, places.config)
    yield from (places.installation, places.guesses, places.open_logins, places.last_backup)
    tls = places.tls
    yield from (tls.path, tls.authority, tls.server, tls.own, tls.attempts, tls.public(NAME), tls.certbot)
    live = certbot(places) / "live" / NAME
    yield from (live, live / "fullchain.pem", live / "privkey.pem", live / "cert.pem")
    yield certbot(places) / "renewal" / f"{NAME}.conf"
    yield from (places.certificate_report, places.own_judgement, places.sharing, places.known_settings)
    yield from (places.certificates / "lab.pem", places.certificates / "lab.key")
    yield places.socket


def places_in_the_lab(places: Places) -> Iterator[Path]:
    """The same of the lab, where people's code can put anything in their place."""
    jupyter = places.home / ".jupyter"
    yield from (jupyter, jupyter / "jupyter_server_config.py", jupyter / "jupyter_server_config.json")
    yield from (jupyter / "jupyter_server_config.d", jupyter / "jupyter_server_config.d/zz.json")
    yield from (places.home / "venv", places.home / "venv/pyvenv.cfg", places.home / "venv/bin/pip")
    extension = places.home / "venv/share/jupyter/labextensions/half"
    yield from (places.socket, places.host_folder, kept_in(places), extension, extension / "package.json")


def put_away(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    path.unlink(missing_ok=True)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**30)


def a_socket(path: Path) -> None:
    listen(path).close()


def a_device(path: Path) -> None:
    with suppress(PermissionError):
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 5))


def unreadable(path: Path) -> None:
    path.write_bytes(b"closed")
    path.chmod(0)


def a_deep_folder(path: Path) -> None:
    manager = deep_folder(path, 300)
    manager.__enter__()


ODDITIES: dict[str, Callable[[Path], object]] = {
    "link to another's file": lambda path: path.symlink_to(outside(path) / "secret"),
    "link to what only root may read": lambda path: path.symlink_to(outside(path) / "closed"),
    "link to another's folder": lambda path: path.symlink_to(outside(path)),
    "link to nothing": lambda path: path.symlink_to(outside(path) / "new"),
    "link to itself": lambda path: path.symlink_to(path),
    "link to what never ends": lambda path: path.symlink_to("/dev/zero"),
    "pipe": os.mkfifo,
    "socket": a_socket,
    "device": a_device,
    "folder": lambda path: (path / "within").mkdir(parents=True),
    "deep folder": a_deep_folder,
    "1 GB": sparse,
    "unreadable": unreadable,
    "empty": Path.touch,
    "not UTF-8": lambda path: path.write_bytes(b"\xff\xfe\xfa" * 100),
    "control characters": lambda path: path.write_bytes(b'"\x1b]0;x\x07\xc2\x9b31m\xe2\x80\xae\n\r' * 9),
    "deep JSON": lambda path: path.write_bytes(b"[" * 500_000),
    "deep and sound JSON": lambda path: path.write_bytes(b'{"A": {"b": ' + b"[" * 900 + b"]" * 900 + b"}}"),
    "JSON of another kind": lambda path: path.write_bytes(
        b'[{"names": [1], "kind": null, "last_day": "\\u001b[2J", "time": 1}, 1e999, null, [[]]]'
    ),
    "JSON with control characters": lambda path: path.write_bytes(
        b'[{"names": ["\\u001b[2J"], "kind": "\\u202e\\ud800", "last_day": "\\u009b2J\\n"}]'
    ),
    "lines with control characters": lambda path: path.write_bytes(
        b'[["\\u001b[2J\\u009b\\u202e\\ud800"], null, null]'
    ),
}


def outside(path: Path) -> Path:
    return next(parent for parent in path.parents if parent.name == "root").with_name("outside")


def start(places: Places) -> None:
    """The person's part of a start (see `entrypoint/door/__main__.py`)."""
    settings = from_environ(ENVIRON)
    own = hold(own_files(places, settings))
    keep_layout(places.layout)
    authority, _ = keep_certificates(places.tls, settings.server_names, NOW, print)
    keep_own_certificate(places, settings, NOW, own)
    password = keep_password(places.password_hash, None, print)
    for secret in (places.cookie_secret, places.device_secret):
        keep_cookie_secret(secret, print)
    keep_open_logins(places, print)
    keep_installation(places)
    write_config(places, settings)
    with suppress(WorkhorseError):
        known = read_known_settings(places)
        print(message(status_now(places, known, authority, (), NOW)))
    write_password_hash(places, password)
    # And the server's, which finds what the start has left.
    read_config(places.config)
    read_untrusted(places.device_secret)


def serve(places: Places) -> None:
    """What the server reads every second, or when it is asked."""
    plan = make_plan(for_the_server(from_environ(ENVIRON)), places)
    keeper = CertificateKeeper(plan, places, lambda _: None, logging.getLogger("oddities"))
    for _ in range(2):
        keeper.look(NOW)
        keeper.report()
    assert plan.acme
    plan.acme.lineage(NAME).set_aside_if_damaged()
    read_attempts(places.tls.attempts, plan.acme)
    read_logins(places.logins)
    read_limiter(places.guesses)
    read_open_logins(places.open_logins, SIGNING)
    is_shared(places.sharing)


def command(places: Places) -> None:
    """Every command that reads or writes there."""
    arguments = argparse.Namespace(password=None, identity=None, apple=False, stop=False)
    commands: tuple[Callable[[Places, argparse.Namespace], object], ...] = (
        lambda places, _: print(message(read_status(places, NOW))),
        audit.audit, certificate_commands.share_ca, certificate_commands.renew, certificate_commands.new_authority,
        enrolment.totp, sign_out,
        lambda places, _: certificate_commands.share_ca(places, argparse.Namespace(stop=True)),
    )  # fmt: skip
    for each in commands:
        try:
            each(places, arguments)
        except WorkhorseError as error:
            print(error)
    with suppress(OSError, ValueError):
        read_credentials(places)


def start_lab(places: Places) -> None:
    """The person's part of the lab's start (see `entrypoint/lab/__main__.py`), and what the server finds after it."""
    with suppress(WorkhorseError):
        judge_home(places.home, Owner(os.getuid(), os.getgid()))
    home._serves(places.home / "venv", Path("/usr/bin/python3"))
    for problem in tell_folder(places, "./repositories"):
        print(problem)
    clear_way(places.socket)
    write_jupyter_config(places.lab_config, lab_config(places), places.home, print)
    read_untrusted(places.lab_config)


def serve_lab(places: Places) -> None:
    """What the door asks of a running lab."""
    for line in (*what_is_amiss(places), host_folder_of(places)):
        print(shown(line))
    find_notebooks_folder(places)
    reason_unhealthy(str(places.socket))


# A command may come before the server has mended anything, and a start may find what lay there while nothing ran.
ORDERS: dict[str, tuple[Callable[[Places], Iterator[Path]], tuple[Step, ...]]] = {
    "a start": (places_at_the_door, (start, serve, command)),
    "a command": (places_at_the_door, (command, serve)),
    "the lab's start": (places_in_the_lab, (start_lab, serve_lab)),
    "a look at the lab": (places_in_the_lab, (serve_lab,)),
}


def in_order(steps: Sequence[Step], places: Places, may_fail: Failures) -> None:
    for step in steps:
        with suppress(*may_fail):
            step(places)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folders of a Workhorse that has run, with everything in its place."""
    places = Places(tmp_path_factory.mktemp("sound"))
    for folder in (
        places.state, places.home / "venv/bin", places.repositories, places.server_run, places.certificates,
        places.socket.parent,
    ):  # fmt: skip
        folder.mkdir(parents=True)
    (places.repositories / "work.ipynb").touch()
    pair = University().issue([NAME])
    (places.certificates / "lab.pem").write_bytes(pair.chain_pem)
    (places.certificates / "lab.key").write_bytes(pair.key_pem())
    folder = places.home / ".jupyter/jupyter_server_config.d"
    folder.mkdir(parents=True)
    (folder / "zz.json").write_text('{"ServerApp": {"port": 1}}')
    for place in ("etc/passwd.image", "sys/fs/cgroup/memory.max", "proc/meminfo"):
        (places.root / place).parent.mkdir(parents=True, exist_ok=True)
        (places.root / place).touch()
    write_known_settings(places, ENVIRON, False)
    start(places)
    write_private(places.tls.public(NAME), pair.key_pem() + pair.chain_pem)
    write_private(places.second_factor, to_json(new_second_factor()[0]).encode())
    write_private(places.logins, as_kept([Login("2026-11-24T12:00:00+00:00", "192.0.2.1", "Firefox", True)]))
    write_private(places.open_logins, OpenLogins(SIGNING).text(NOW))
    write_private(places.last_backup, NOW.isoformat().encode())
    acme = make_plan(for_the_server(from_environ(ENVIRON)), places).acme
    assert acme
    write_attempts(places.tls.attempts, acme, {NAME: Attempt("2026-11-24T12:05:00+00:00", 1, "No route")})
    live = certbot(places) / "live" / NAME
    live.mkdir(parents=True)
    for part, content in (("cert", pair.chain_pem), ("fullchain", pair.chain_pem), ("privkey", pair.key_pem())):
        (live / f"{part}.pem").write_bytes(content)
    serve(places)
    start_lab(places)
    serve_lab(places)
    # Whoever acts below may not be allowed to read what is imported on the way.
    shutil.copytree(places.root, other := tmp_path_factory.mktemp("other") / "root")
    command(Places(other))
    return places.root


def ended(act: Callable[[], object]) -> tuple[int | None, str]:
    """How a process ended that acts as a user with bounded memory, and what it printed; None after the deadline."""
    with TemporaryDirectory() as folder:
        output = Path(folder) / "output"
        child = os.fork()
        if child == 0:
            _act_bounded(act, output)
        deadline = time.monotonic() + SECONDS
        while time.monotonic() < deadline:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                return os.waitstatus_to_exitcode(status), output.read_text(errors="surrogateescape")
            time.sleep(0.005)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        return None, output.read_text(errors="surrogateescape")


def _act_bounded(act: Callable[[], object], output: Path) -> None:
    status = 1
    try:
        descriptor = os.open(output, os.O_WRONLY | os.O_CREAT)
        for standard in (1, 2):
            os.dup2(descriptor, standard)
        if os.getuid() == 0:
            os.setgroups([])
            os.setgid(USER)
            os.setuid(USER)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
        act()
        sys.stdout.flush()
        status = 0
    except BaseException:
        os.write(2, traceback.format_exc().encode(errors="replace"))
    finally:
        os._exit(status)


def own(root: Path) -> None:
    """Gives all of it to the user as whom the test acts."""
    if os.getuid() == 0:
        root.parent.chmod(0o755)
        for folder, names, files in os.walk(root):
            for name in (".", *names, *files):
                os.chown(Path(folder) / name, USER, USER, follow_symlinks=False)


def inventory(folder: Path) -> dict[str, bytes]:
    return {str(path): content(path) for path in sorted(folder.rglob("*"))}


def content(path: Path) -> bytes:
    """What a test may see of it: of itself, it has closed a file where it isn't root."""
    return path.read_bytes() if path.is_file() and not path.is_symlink() and os.access(path, os.R_OK) else b""


def gone_round(root: Path) -> list[str]:
    """Files of the person that hold what only root may read."""
    files = (path for path in root.rglob("*") if stat.S_ISREG(path.lstat().st_mode) and path.lstat().st_size < MEMORY)
    return [str(path) for path in files if CLOSED.encode() in content(path)]


TERMINALS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\udc80-\udcff]")


def what_is_wrong(sound: Path, name: str, plant: Plant, steps: Sequence[Step], may_fail: Failures) -> object:
    """Lets it all happen with something planted in the place of one file; what is empty is nothing."""
    with TemporaryDirectory() as folder:
        root, other = Path(folder) / "root", Path(folder) / "outside"
        shutil.copytree(sound, root)
        other.mkdir()
        (other / "secret").write_text("of another")
        # Or nothing could be written through a link to it.
        (other / "secret").chmod(0o666)
        (other / "closed").write_text(f'{{"ServerApp": {{"custom_display_url": "{CLOSED}"}}}}')
        (other / "closed").chmod(0o600 if os.getuid() == 0 else 0)
        other.chmod(0o777)
        with plant(root, root / name):
            before = inventory(other)
            status, printed = ended(partial(in_order, steps, Places(root), may_fail))
        try:
            if status != 0:
                return status, printed[-1500:]
            if found := TERMINALS.search(printed):
                return found, printed[max(0, found.start() - 100) :][:200]
            if inventory(other) != before:
                return "written outside"
            return [*gone_round(root), *(["printed"] if CLOSED in printed else [])]
        finally:
            subprocess.run(["rm", "-rf", root], check=True)  # what is deep is too deep for shutil


def assert_nothing_is_wrong(sound: Path, order: str, plant: Plant, may_fail: Failures = ()) -> None:
    files, steps = ORDERS[order]
    names = [str(path.relative_to("/")) for path in files(Places())]
    found = {name: what_is_wrong(sound, name, plant, steps, may_fail) for name in names}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("oddity", ODDITIES)
def test_an_oddity_holds_up_nothing_and_leads_nowhere(sound: Path, oddity: str, order: str) -> None:
    @contextmanager
    def planted(root: Path, path: Path) -> Iterator[None]:
        put_away(path)
        ODDITIES[oddity](path)
        own(root)
        yield

    assert_nothing_is_wrong(sound, order, planted)


# At the door nobody else can write, so that nothing changes there while it is looked at.
@pytest.mark.parametrize("order", [order for order, (files, _) in ORDERS.items() if files is places_in_the_lab])
def test_a_name_that_changes_into_a_link_all_the_time_holds_up_nothing_and_leads_nowhere(
    sound: Path, order: str
) -> None:
    @contextmanager
    def swapped(root: Path, path: Path) -> Iterator[None]:
        link = path.with_name(f"{path.name}.link")
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(outside(path) if path.is_dir() else outside(path) / "secret")
        if not path.is_dir():
            path.touch()
        own(root)
        with swapping(path, link):
            yield

    # A folder that goes while it is listed: an error of pathlib's until Python 3.13, which the image has.
    assert_nothing_is_wrong(sound, order, swapped, () if sys.version_info >= (3, 13) else (FileNotFoundError,))
