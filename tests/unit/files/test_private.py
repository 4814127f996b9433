"""Files and folders that nobody else may read."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.door.state import keep_layout
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.private import (
    Owner,
    make_private_folder,
    read_private,
    replace_private,
    set_aside,
    write_private,
)
from entrypoint.files.public import write_public

needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
ADA, ANOTHER = Owner(1234, 1234), Owner(4321, 4321)


def told_as(user: Owner, act: Callable[[], object]) -> str:
    """What a user without any rights of root is told, in a process that becomes that user; empty without an error."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(user.gid)
            os.setuid(user.uid)
            act()
        except BaseException as error:
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with open(reading) as told:
        return told.read()


def folder_of(user: Owner, parent: str, mode: int) -> Path:
    Path(parent).chmod(0o755)
    folder = Path(parent) / "tls"
    folder.mkdir()
    os.chown(folder, user.uid, user.gid)
    folder.chmod(mode)
    return folder


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o000, 0o500])
def test_a_folder_that_stands_open_is_closed(tmp_path: Path, mode: int) -> None:
    folder = tmp_path / "tls"
    folder.mkdir()
    folder.chmod(mode)
    make_private_folder(folder)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@needs_root
@pytest.mark.parametrize("mode", [0o755, 0o000])
def test_a_user_of_its_own_closes_its_own_folder(mode: int) -> None:
    with TemporaryDirectory() as parent:  # pytest's own folders lie below one that root alone may enter
        folder = folder_of(ADA, parent, mode)
        assert told_as(ADA, lambda: make_private_folder(folder)) == ""
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


@needs_root
def test_a_folder_of_another_is_told_to_a_user_who_can_t_enter_it() -> None:
    with TemporaryDirectory() as parent:
        folder = folder_of(ANOTHER, parent, 0o700)
        told = told_as(ADA, lambda: make_private_folder(folder))
        assert told.startswith(f"WorkhorseError: {folder} can't be written: Permission denied.")
        assert "Let user 1234 write there" in told


@needs_root
def test_a_folder_of_another_that_lets_the_user_in_is_left_as_it_is() -> None:
    with TemporaryDirectory() as parent:
        folder = folder_of(ANOTHER, parent, 0o777)
        assert told_as(ADA, lambda: make_private_folder(folder)) == ""
        assert stat.S_IMODE(folder.stat().st_mode) == 0o777


@needs_root
def test_a_state_that_a_user_can_t_enter_is_told() -> None:
    with TemporaryDirectory() as parent:
        state = folder_of(ANOTHER, parent, 0o700)
        told = told_as(ADA, lambda: keep_layout(state / "layout"))
        assert told.startswith(f"WorkhorseError: {state / 'layout'} can't be written: Permission denied.")
        assert told_as(ADA, lambda: set_aside(state / "layout")) == ""


def test_what_is_private_is_its_owner_s_alone_whatever_the_umask(tmp_path: Path) -> None:
    for before in (0, 0o022):
        umask = os.umask(before)
        try:
            write_private(tmp_path / "key", b"secret")
        finally:
            os.umask(umask)
        assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    (tmp_path / "key").chmod(0o601)
    assert read_private(tmp_path / "key") == b"secret"
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["key"]


def test_what_is_replaced_is_kept_beside_each_time(tmp_path: Path) -> None:
    path = tmp_path / "authority.pem"
    assert replace_private(path, b"first") is None
    assert replace_private(path, b"second") == tmp_path / "authority.pem.set-aside-1"
    assert replace_private(path, b"third") == tmp_path / "authority.pem.set-aside-2"
    assert [file.read_bytes() for file in sorted(tmp_path.iterdir())] == [b"third", b"first", b"second"]


def test_nothing_is_nothing_to_read_or_set_aside(tmp_path: Path) -> None:
    assert read_private(tmp_path / "none") is None
    assert set_aside(tmp_path / "none") is None


def test_what_a_link_leads_to_is_neither_read_nor_closed(tmp_path: Path) -> None:
    other = tmp_path / "another's"
    other.write_bytes(b"open")
    other.chmod(0o644)
    (tmp_path / "key").symlink_to(other)
    with pytest.raises(OSError, match="symbolic links"):
        read_private(tmp_path / "key")
    assert stat.S_IMODE(other.stat().st_mode) == 0o644


@pytest.mark.parametrize("write", [write_public, write_private])
def test_nothing_is_written_through_what_stands_at_the_name_of_a_half_written_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path, bytes], None]
) -> None:
    """As if somebody had foreseen it: a link that leads to a file of root's."""
    monkeypatch.setattr("secrets.token_hex", lambda _: "foreseen")
    of_root = tmp_path / "of-root"
    of_root.write_text("as it was")
    (tmp_path / ".share-ca.foreseen").symlink_to(of_root)
    # What stands there is no file of ours: each says so in its own way.
    with pytest.raises((OSError, WorkhorseError)):
        write(tmp_path / "share-ca", b"new")
    assert of_root.read_text() == "as it was"
