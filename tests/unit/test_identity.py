"""Whom the server runs as."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from entrypoint.identity import (
    FALLBACK,
    OVERFLOW_UID,
    Identity,
    account_lines,
    find_identity,
    has_access,
    is_user_namespace,
    reason_not_writable,
)
from entrypoint.private_files import Owner

NO_NAMESPACE = "         0          0 4294967295\n"
ROOTLESS = "         0       1000          1\n         1     100000      65536\n"
ROOT = Owner(0, 0)
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can give folders away")


def test_a_container_started_as_somebody_runs_as_that_one(tmp_path: Path) -> None:
    process = Owner(123456, 0)
    assert find_identity(process, tmp_path, NO_NAMESPACE) == Identity(process, may_switch=False)


@needs_root
@pytest.mark.parametrize("uid_map", [NO_NAMESPACE, ROOTLESS])
def test_the_owner_of_the_folder_is_followed(tmp_path: Path, uid_map: str) -> None:
    os.chown(tmp_path, 1234, 5678)
    assert find_identity(ROOT, tmp_path, uid_map) == Identity(Owner(1234, 5678), may_switch=True)


@needs_root
def test_root_in_a_user_namespace_is_the_person(tmp_path: Path) -> None:
    assert is_user_namespace(ROOTLESS)
    assert not is_user_namespace(NO_NAMESPACE)
    assert find_identity(ROOT, tmp_path, ROOTLESS) == Identity(ROOT, may_switch=True)


@needs_root
def test_a_user_without_a_number_in_the_namespace_is_not_followed(tmp_path: Path) -> None:
    nobody = int(OVERFLOW_UID.read_text())
    os.chown(tmp_path, nobody, nobody)
    assert find_identity(ROOT, tmp_path, ROOTLESS) == Identity(ROOT, may_switch=True)
    assert find_identity(ROOT, tmp_path, NO_NAMESPACE) == Identity(Owner(nobody, nobody), may_switch=True)


@needs_root
@pytest.mark.parametrize(
    ("files", "adopts"), [([], True), (["README.md"], True), (["mine.ipynb"], False), (["README.md", ".git"], False)]
)
def test_root_s_folder_falls_back_and_is_adopted_only_as_cloned(tmp_path: Path, files: list[str], adopts: bool) -> None:
    for file in files:
        (tmp_path / file).touch()
    expected = Identity(FALLBACK, may_switch=True, adopts_folder=adopts)
    assert find_identity(ROOT, tmp_path, NO_NAMESPACE) == expected


def test_the_server_s_user_has_a_name_even_where_the_image_knows_the_number() -> None:
    passwd, group = account_lines(ROOT, Path("/home/workhorse"), "root:x:0:0:root:/root:/bin/bash\n", "root:x:0:\n")
    assert passwd.splitlines()[0] == "workhorse:x:0:0:Workhorse:/home/workhorse:/bin/bash"
    assert "root:x:0:0:root:/root:/bin/bash" in passwd
    assert group.splitlines()[0] == "workhorse:x:0:"


@needs_root
def test_a_folder_of_another_is_named_with_the_command_that_mends_it() -> None:
    with TemporaryDirectory() as name:  # pytest's own folders lie below one that root alone may enter
        folder = Path(name)
        os.chown(folder, 1234, 1234)
        folder.chmod(0o755)
        reason = reason_not_writable(folder, Owner(1000, 1000), "./repositories")
        assert reason is not None
        assert "belongs to user 1234, group 1234 (mode 0755), and the server runs as user 1000" in reason
        assert "sudo chown -R 1000:1000 './repositories'" in reason
        os.chown(folder, 1000, 1000)
        assert reason_not_writable(folder, Owner(1000, 1000), "./repositories") is None


@needs_root
def test_access_is_asked_for_as_the_user_and_not_as_root() -> None:
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        file = Path(name) / "password.txt"
        file.touch()
        cases = ((0, 0o600, False), (0, 0o644, True), (1000, 0o400, True), (1000, 0o200, False))
        for owner, mode, is_readable in cases:
            os.chown(file, owner, owner)
            file.chmod(mode)
            assert has_access(file, Owner(1000, 1000), os.R_OK) is is_readable, oct(mode)


@needs_root
@pytest.mark.parametrize("mode", [0o555, 0o055, 0o600, 0o077])
def test_a_mode_that_keeps_out_the_owner_is_named_with_the_command_that_mends_it(mode: int) -> None:
    with TemporaryDirectory() as name:
        folder, user = Path(name), Owner(1000, 1000)
        os.chown(folder, user.uid, user.gid)
        folder.chmod(mode)
        reason = reason_not_writable(folder, user, "./repositories")
        assert reason is not None
        first, remedy = reason.splitlines()
        assert f"({mode:04o}) keeps out its own owner" in first
        assert remedy == "  On the host: chmod u+rwx './repositories'"
        folder.chmod(mode | 0o700)
        assert reason_not_writable(folder, user, "./repositories") is None
