"""Password hash, cookie secret and configuration in the state volume."""

from __future__ import annotations

import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.door.config import lock_of, read_config, write_config
from entrypoint.door.state import keep_cookie_secret, keep_open_logins, keep_password, write_password_hash
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.login.lock import Lock
from entrypoint.login.password import generate_password, settle_password, verifies
from entrypoint.settings.settings import from_environ
from tests.unit.certificates.test_certificates import DAMAGE

PASSWORD = "correct horse battery"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    places.state.mkdir(parents=True)
    return places


def keep(places: Places, password: str | None) -> tuple[str, str | None, list[str]]:
    said: list[str] = []
    hashed = keep_password(places.password_hash, password, said.append)
    write_password_hash(places, hashed)
    return hashed.text, hashed.generated, said


def test_a_password_that_is_still_right_keeps_its_hash(places: Places) -> None:
    first, generated, _ = keep(places, PASSWORD)
    assert generated is None
    assert keep(places, PASSWORD)[0] == first
    assert PASSWORD not in places.password_hash.read_text()


def test_a_changed_password_gets_another_hash(places: Places) -> None:
    first, *_ = keep(places, PASSWORD)
    second, *_ = keep(places, "another horse battery")
    assert verifies(second, "another horse battery")
    assert not verifies(second, PASSWORD)
    assert first != second


def test_a_made_up_password_is_shown_once_and_stays(places: Places) -> None:
    first, generated, _ = keep(places, None)
    assert generated is not None
    assert verifies(first, generated)
    assert keep(places, None) == (first, None, [])


def test_a_made_up_password_is_easily_typed_on_a_phone() -> None:
    passwords = {generate_password() for _ in range(200)}
    assert len(passwords) == 200
    for password in passwords:
        assert re.fullmatch(r"[a-hj-km-np-z2-9]{4}(-[a-hj-km-np-z2-9]{4}){3}", password)


def test_settling_says_whether_there_is_something_to_write() -> None:
    fresh = settle_password(PASSWORD, None)
    assert fresh.is_new
    assert not settle_password(PASSWORD, fresh.text).is_new


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_hash_is_set_aside(places: Places, damage: Callable[[Path], object]) -> None:
    keep(places, PASSWORD)
    damage(places.password_hash)
    text, _, said = keep(places, PASSWORD)
    # Half a hash may be cut so that it is still whole; then it stays.
    assert verifies(text, PASSWORD)
    assert bool(said) == places.password_hash.with_name("password-hash.set-aside-1").exists()
    assert keep(places, PASSWORD) == (text, None, [])


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_cookie_secret_never_signs(places: Places, damage: Callable[[Path], object]) -> None:
    said: list[str] = []
    keep_cookie_secret(places.cookie_secret, said.append)
    first = places.cookie_secret.read_text()
    keep_cookie_secret(places.cookie_secret, said.append)
    assert places.cookie_secret.read_text() == first
    assert said == []
    damage(places.cookie_secret)
    if places.cookie_secret.is_dir() or places.cookie_secret.read_bytes() != first.encode():
        keep_cookie_secret(places.cookie_secret, said.append)
        assert len(said) == 1
    assert re.fullmatch("[0-9a-f]{64}", places.cookie_secret.read_text())


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_configuration_is_written_anew(places: Places, damage: Callable[[Path], object]) -> None:
    settings = from_environ({"JUPYTER_PASSWORD": PASSWORD, "SERVER_NAMES": "lab.example.org", "SESSION_DAYS": "7"})
    write_config(places, settings)
    sound = read_config(places.config)
    damage(places.config)
    write_config(places, settings)
    assert read_config(places.config) == sound
    assert stat.S_IMODE(places.config.stat().st_mode) == 0o600


def test_the_configuration_holds_no_secret_and_what_the_door_needs(places: Places) -> None:
    write_config(places, from_environ({"JUPYTER_PASSWORD": PASSWORD, "SERVER_NAMES": "lab.example.org", "TOTP": "on"}))
    assert PASSWORD not in places.config.read_text()
    config = read_config(places.config)
    assert config["names"] == ["lab.example.org"]
    assert lock_of(config) == Lock(session_days=30, second_factor=True, trusted_proxies="")


def test_a_configuration_that_cannot_be_read_is_one_clear_error(places: Places) -> None:
    with pytest.raises(WorkhorseError, match="docker compose restart workhorse"):
        read_config(places.config)


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "file"
    with pytest.raises(WorkhorseError, match="can't be written"):
        write_private(file, b"new")
    file.parent.mkdir()
    write_private(file, b"old")
    assert [path.name for path in file.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("damage", ["", "{}", "\N{SNOWMAN}", '{"signed_by": "", "open": [], "ended": [5]}'])
def test_where_it_is_lost_who_was_signed_out_everyone_is(places: Places, damage: str) -> None:
    said: list[str] = []
    keep_cookie_secret(places.cookie_secret, said.append)
    before = places.cookie_secret.read_text()
    keep_open_logins(places, said.append)
    assert (places.cookie_secret.read_text(), said) == (before, [])
    places.open_logins.write_text(damage)
    keep_open_logins(places, said.append)
    assert places.cookie_secret.read_text() != before
    assert not places.open_logins.exists()
    assert said[-1].startswith("Everyone is signed out")
