"""Whom the server runs as."""

from __future__ import annotations

import ctypes
import os
import re
import struct
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.private import Owner
from entrypoint.home.home import judge_home
from entrypoint.system.folder import reason_not_writable
from entrypoint.system.handover import adopt_folder, hand_over_home, hand_over_state
from entrypoint.system.identity import (
    FALLBACK,
    OVERFLOW_UID,
    Identity,
    account_lines,
    find_door_identity,
    find_identity,
    is_user_namespace,
)
from entrypoint.system.privileges import CAPABILITY_VERSION_3, become_for_good, empty_capabilities
from tests.deep import deep_folder
from tests.swaps import swapping
from tests.users import as_user

NO_NAMESPACE = "         0          0 4294967295\n"
ROOTLESS = "         0       1000          1\n         1     100000      65536\n"
ROOT = Owner(0, 0)
# As home and state belong to root before the first start.
NEW_VOLUME = Path("/")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give folders away")


def take_capabilities_of_the_servers() -> None:
    """Leaves this process what docker-compose.yml gives both Jupyter servers' starts (linux/capability.h)."""
    chown, setgid, setuid, setpcap = 0, 6, 7, 8
    kept = sum(1 << capability for capability in (chown, setgid, setuid, setpcap))
    header, sets = struct.pack("Ii", CAPABILITY_VERSION_3, 0), struct.pack("6I", kept, kept, 0, 0, 0, 0)
    assert ctypes.CDLL(None).capset(header, sets) == 0


def test_a_container_started_as_somebody_runs_as_that_one(tmp_path: Path) -> None:
    process = Owner(123456, 0)
    assert find_identity(process, tmp_path, NEW_VOLUME, NO_NAMESPACE) == Identity(process, may_switch=False)


@needs_root
@pytest.mark.parametrize("uid_map", [NO_NAMESPACE, ROOTLESS])
def test_the_owner_of_the_folder_is_followed(tmp_path: Path, uid_map: str) -> None:
    os.chown(tmp_path, 1234, 5678)
    assert find_identity(ROOT, tmp_path, NEW_VOLUME, uid_map) == Identity(Owner(1234, 5678), may_switch=True)


@needs_root
def test_root_in_a_user_namespace_is_the_person(tmp_path: Path) -> None:
    assert is_user_namespace(ROOTLESS)
    assert not is_user_namespace(NO_NAMESPACE)
    assert find_identity(ROOT, tmp_path, NEW_VOLUME, ROOTLESS) == Identity(ROOT, may_switch=True)


@needs_root
def test_a_user_without_a_number_in_the_namespace_is_not_followed(tmp_path: Path) -> None:
    nobody = int(OVERFLOW_UID.read_text())
    os.chown(tmp_path, nobody, nobody)
    assert find_identity(ROOT, tmp_path, NEW_VOLUME, ROOTLESS) == Identity(ROOT, may_switch=True)
    assert find_identity(ROOT, tmp_path, NEW_VOLUME, NO_NAMESPACE) == Identity(Owner(nobody, nobody), may_switch=True)


@needs_root
@pytest.mark.parametrize(
    ("files", "adopts"), [([], True), (["README.md"], True), (["mine.ipynb"], False), (["README.md", ".git"], False)]
)
def test_root_s_folder_falls_back_and_is_adopted_only_as_cloned(tmp_path: Path, files: list[str], adopts: bool) -> None:
    for file in files:
        (tmp_path / file).touch()
    expected = Identity(FALLBACK, may_switch=True, adopts_folder=adopts)
    assert find_identity(ROOT, tmp_path, NEW_VOLUME, NO_NAMESPACE) == expected


def test_the_server_s_user_has_a_name_even_where_the_image_knows_the_number() -> None:
    passwd, group = account_lines(ROOT, Path("/home/workhorse"), "root:x:0:0:root:/root:/bin/bash\n", "root:x:0:\n")
    assert passwd.splitlines()[0] == "workhorse:x:0:0:Workhorse:/home/workhorse:/bin/bash"
    assert "root:x:0:0:root:/root:/bin/bash" in passwd
    assert group.splitlines()[0] == "workhorse:x:0:"


def reason(folder: Path) -> str | None:
    """As the start asks, which has become the person by then."""
    user = Owner(1000, 1000)
    told: str | None = as_user(user.uid, user.gid, lambda: reason_not_writable(folder, user, "./repositories"))
    return told


@needs_root
def test_a_folder_of_root_s_where_there_was_a_person_s_is_left_as_it_is(tmp_path: Path) -> None:
    """As the mount point of a disk is that isn't mounted yet."""
    folder, home = tmp_path / "repositories", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    os.chown(home, 1500, 1600)
    assert find_identity(ROOT, folder, home, NO_NAMESPACE) == Identity(Owner(1500, 1600), may_switch=True)


@needs_root
def test_an_empty_folder_of_another_s_where_there_was_a_person_s_is_left_as_it_is_too(tmp_path: Path) -> None:
    folder, home = tmp_path / "repositories", tmp_path / "home"
    for each, uid in ((folder, 1700), (home, 1500)):
        each.mkdir()
        os.chown(each, uid, 1600)
    for uid_map in (NO_NAMESPACE, ROOTLESS):
        assert find_identity(ROOT, folder, home, uid_map) == Identity(Owner(1500, 1600), may_switch=True)
    # What lies in another's folder is somebody's work, and a home that is root's is nobody's yet.
    assert find_identity(ROOT, folder, NEW_VOLUME, NO_NAMESPACE) == Identity(Owner(1700, 1600), may_switch=True)
    (folder / "work.ipynb").touch()
    assert find_identity(ROOT, folder, home, NO_NAMESPACE) == Identity(Owner(1700, 1600), may_switch=True)


@needs_root
def test_the_door_runs_as_the_owner_of_its_state_and_before_there_is_one_as_the_first_person(tmp_path: Path) -> None:
    assert find_door_identity(ROOT, NEW_VOLUME, NO_NAMESPACE) == Identity(FALLBACK, may_switch=True)
    os.chown(tmp_path, 1500, 1600)
    for uid_map in (NO_NAMESPACE, ROOTLESS):
        assert find_door_identity(ROOT, tmp_path, uid_map) == Identity(Owner(1500, 1600), may_switch=True)


@needs_root
def test_the_door_of_a_user_namespace_is_root_there_whose_state_nobody_else_has(tmp_path: Path) -> None:
    assert find_door_identity(ROOT, tmp_path, ROOTLESS) == Identity(ROOT, may_switch=True)
    nobody = int(OVERFLOW_UID.read_text())
    os.chown(tmp_path, nobody, nobody)
    assert find_door_identity(ROOT, tmp_path, ROOTLESS) == Identity(ROOT, may_switch=True)


def test_a_door_that_was_started_as_somebody_runs_as_that_one(tmp_path: Path) -> None:
    process = Owner(123456, 0)
    assert find_door_identity(process, tmp_path, NO_NAMESPACE) == Identity(process, may_switch=False)


@needs_root
def test_what_a_clone_put_there_is_adopted_with_the_folder_and_no_link(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("Put your notebooks here.")
    adopt_folder(tmp_path, Identity(FALLBACK, may_switch=True, adopts_folder=True), "./repositories", print)
    assert {(path.stat().st_uid, path.stat().st_gid) for path in (tmp_path, tmp_path / "README.md")} == {(1000, 1000)}


@needs_root
def test_the_state_changes_hands_and_nothing_that_a_link_in_it_leads_to(tmp_path: Path) -> None:
    state, root_s = tmp_path / "state", tmp_path / "root-s"
    (state / "tls" / "deep").mkdir(parents=True)
    root_s.mkdir()
    (root_s / "key").touch(0o600)
    (state / "file").symlink_to(root_s / "key")
    (state / "tls" / "folder").symlink_to(root_s)
    hand_over_state(state, FALLBACK)
    assert oct(state.stat().st_mode)[-4:] == "0700"
    assert {place.lstat().st_uid for place in (state, *state.rglob("*"))} == {1000}
    assert (root_s.stat().st_uid, (root_s / "key").stat().st_uid) == (0, 0)


@needs_root
def test_a_name_that_changes_into_a_link_all_the_time_leads_nowhere(tmp_path: Path) -> None:
    state, root_s = tmp_path / "state", tmp_path / "root-s"
    for folder in (state / "a", root_s):
        folder.mkdir(parents=True)
        (folder / "key").touch(0o600)
    (state / "link").symlink_to(root_s)
    with swapping(state / "a", state / "link"):
        for number in range(2000):
            hand_over_state(state, Owner(1000 + number % 2, 1000))
    assert (root_s.stat().st_uid, (root_s / "key").stat().st_uid) == (0, 0)


@needs_root
def test_a_file_that_goes_once_it_was_listed_holds_no_start_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / "tls" / "kept").touch()
    listed = os.listdir
    monkeypatch.setattr(os, "listdir", lambda folder: ["gone", *listed(folder), "gone too"])
    hand_over_state(tmp_path, FALLBACK)
    assert {place.lstat().st_uid for place in (tmp_path, tmp_path / "tls", tmp_path / "tls" / "kept")} == {1000}


@needs_root
def test_what_a_clone_put_there_is_no_way_out_of_the_folder_while_it_changes(tmp_path: Path) -> None:
    folder, key = tmp_path / "repositories", tmp_path / "key"
    folder.mkdir()
    key.touch(0o600)
    (folder / "README.md").touch()
    (folder / "link").symlink_to(key)
    with swapping(folder / "README.md", folder / "link"):
        for number in range(1000):
            adopt_folder(folder, Identity(Owner(1000 + number % 2, 1000), True, True), "./repositories", print)
    assert (folder.stat().st_uid, key.stat().st_uid) == (1001, 0)


@needs_root
def test_a_state_of_a_thousand_levels_holds_no_start_up(tmp_path: Path) -> None:
    state = tmp_path / "state"
    with deep_folder(state):
        hand_over_state(state, FALLBACK)
        assert state.stat().st_uid == 1000


@needs_root
def test_a_home_is_given_away_only_while_it_is_empty(tmp_path: Path) -> None:
    hand_over_home(tmp_path, FALLBACK)
    assert tmp_path.stat().st_uid == 1000
    (tmp_path / "work").touch()
    hand_over_home(tmp_path, Owner(2000, 2000))
    assert tmp_path.stat().st_uid == 1000


@needs_root
@pytest.mark.parametrize("step", ["listdir", "fchmod", "fchown"])
def test_a_home_that_two_starts_give_away_at_once_is_given_away(step: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def hand_over_as_second() -> tuple[int, int]:
        take_capabilities_of_the_servers()
        monkeypatch.setattr(os, step, first_comes_before(getattr(os, step)))
        hand_over_home(home, FALLBACK)
        return home.stat().st_uid, home.stat().st_mode & 0o777

    def first_comes_before(plain: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            monkeypatch.undo()
            hand_over_home(home, FALLBACK)
            return plain(*arguments)

        return call

    with TemporaryDirectory() as name:
        home = Path(name)
        assert as_user(0, 0, hand_over_as_second) == [1000, 0o755]


@needs_root
@pytest.mark.parametrize("mode", [0o000, 0o400, 0o555, 0o077])
def test_a_home_that_is_closed_to_its_owner_gets_the_command_that_opens_it(mode: int) -> None:
    def refusal() -> str:
        with pytest.raises(WorkhorseError) as refused:
            judge_home(home, FALLBACK)
        return str(refused.value)

    with TemporaryDirectory() as name:
        home = Path(name)
        os.chown(home, 1000, 1000)
        home.chmod(mode)
        told = as_user(1000, 1000, refusal)
        assert f"closed to its own owner (mode {mode:04o})" in told
        assert "run --rm --user 1000 --entrypoint chmod kernels u+rwx" in told
        home.chmod(mode | 0o700)
        as_user(1000, 1000, lambda: judge_home(home, FALLBACK))


@needs_root
def test_a_folder_of_another_is_named_with_the_command_that_mends_it() -> None:
    with TemporaryDirectory() as name:  # pytest's own folders lie below one that root alone may enter
        folder = Path(name)
        os.chown(folder, 1234, 1234)
        folder.chmod(0o755)
        told = reason(folder)
        assert told is not None
        assert "belongs to user 1234, group 1234 (mode 0755), and the server runs as user 1000" in told
        assert "sudo chown -R 1000:1000 './repositories' && docker compose restart lab kernels" in told
        os.chown(folder, 1000, 1000)
        assert reason(folder) is None


@needs_root
def test_who_has_become_a_person_has_no_right_but_theirs() -> None:
    found = as_user(
        1234, 5678, lambda: [os.getresuid(), os.getresgid(), os.getgroups(), Path("/proc/self/status").read_text()]
    )
    assert found[:2] == [[1234] * 3, [5678] * 3]
    assert 0 not in found[2]
    assert re.findall(r"Cap(?:Inh|Prm|Eff|Amb):\t(\w+)", found[3]) == ["0" * 16] * 4


@needs_root
def test_groups_that_the_container_was_given_are_kept() -> None:
    def groups() -> list[int]:
        become_for_good(1000, 1000)
        return os.getgroups()

    def with_groups() -> list[int]:
        os.setgroups([0, 2770, 44])
        return groups()

    assert as_user(0, 0, with_groups) == [44, 2770]


@needs_root
def test_root_that_may_not_become_the_person_does_not_go_on_as_root() -> None:
    def refusal() -> str:
        empty_capabilities()
        with pytest.raises(OSError, match="SETPCAP") as refused:
            become_for_good(1000, 1000)
        return str(refused.value)

    assert as_user(0, 0, refusal)


@needs_root
def test_nothing_brings_a_capability_back() -> None:
    def status_of(uid: int) -> str:
        become_for_good(uid, uid)
        return Path("/proc/self/status").read_text()

    for uid in (0, 1000):
        text = as_user(0, 0, partial(status_of, uid))
        assert re.findall(r"Cap\w+:\t(\w+)", text) == ["0" * 16] * 5


@needs_root
@pytest.mark.parametrize("mode", [0o555, 0o055, 0o600, 0o077])
def test_a_mode_that_keeps_out_the_owner_is_named_with_the_command_that_mends_it(mode: int) -> None:
    with TemporaryDirectory() as name:
        folder, user = Path(name), Owner(1000, 1000)
        os.chown(folder, user.uid, user.gid)
        folder.chmod(mode)
        told = reason(folder)
        assert told is not None
        first, remedy = told.splitlines()
        assert f"({mode:04o}) keeps out its own owner" in first
        assert remedy == "  On the host: chmod u+rwx './repositories'"
        folder.chmod(mode | 0o700)
        assert reason(folder) is None
