"""Password hash, cookie secret and configuration in the state volume."""

from __future__ import annotations

import json
import re
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.door.state import keep_cookie_secret, keep_password, write_config, write_password_hash
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.login.password import generate_password, settle_password, verifies
from entrypoint.settings.settings import from_environ
from tests.unit.certificates.test_certificates import DAMAGE

PASSWORD = "correct horse battery"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    for folder in (places.state, places.home, places.repositories):
        folder.mkdir(parents=True)
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


def config(places: Places, **environ: str) -> tuple[dict[str, dict[str, object]], list[str]]:
    said: list[str] = []
    write_config(places, from_environ(environ), "argon2:hash", said.append)
    assert stat.S_IMODE(places.config.stat().st_mode) == 0o600
    return json.loads(places.config.read_text()), said


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_configuration_is_written_anew(places: Places, damage: Callable[[Path], object]) -> None:
    sound, _ = config(places)
    damage(places.config)
    assert config(places) == (sound, [])


def test_the_configuration_has_no_token_and_calls_nobody(places: Places) -> None:
    written, said = config(places)
    assert said == []
    assert written["Door"]["token"] == ""
    assert written["Door"]["hashed_password"] == "argon2:hash"
    assert written["Door"]["allow_password_change"] is False
    assert not written.keys() & {"IdentityProvider", "PasswordIdentityProvider"}
    assert "password" not in written["ServerApp"]
    assert written["LabApp"]["news_url"] == ""
    assert written["LabApp"]["extension_manager"] == "readonly"
    assert written["FileContentsManager"]["delete_to_trash"] is False


def test_personal_settings_apply_except_where_workhorse_decides(places: Places) -> None:
    folder = places.home / ".jupyter" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    (folder / "a.json").write_text('{"ServerApp": {"port": 1}, "MyExtension": {"colour": "blue", "size": 1}}')
    (folder / "b.json").write_text('{"MyExtension": {"colour": "red"}}')
    (folder / "c.json").write_text("not json")
    (folder / "d.json").write_text('["no settings"]')
    written, said = config(places)
    assert written["ServerApp"]["port"] == 8888
    assert written["MyExtension"] == {"colour": "red", "size": 1}
    assert any("ServerApp.port" in line and "overruled" in line for line in said)
    assert [line for line in said if "c.json is left out" in line]
    assert [line for line in said if "d.json is left out" in line]


def test_personal_settings_in_a_dictionary_apply_key_by_key(places: Places) -> None:
    folder = places.home / ".jupyter" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    sizes = {
        "websocket_max_message_size": 1,
        "ws_ping_interval": 5,
        "xsrf_cookie_kwargs": {"secure": False, "path": "/"},
    }
    (folder / "a.json").write_text(json.dumps({"ServerApp": {"tornado_settings": sizes}}))
    (folder / "b.json").write_text('{"ServerApp": {"tornado_settings": {"websocket_max_message_size": 2}}}')
    written, said = config(places)
    settings = written["ServerApp"]["tornado_settings"]
    assert settings == {
        "websocket_max_message_size": 2,
        "ws_ping_interval": 30_000,
        "ws_ping_timeout": 90_000,
        "xsrf_cookie_kwargs": {"secure": True, "samesite": "Lax", "path": "/"},
    }
    name = "ServerApp.tornado_settings"
    assert [line.split()[0] for line in said] == [f"{name}.ws_ping_interval", f"{name}.xsrf_cookie_kwargs.secure"]


@pytest.mark.parametrize("section", ["Door", "PasswordIdentityProvider", "IdentityProvider"])
def test_no_personal_setting_opens_the_door(places: Places, section: str) -> None:
    """Jupyter reads the sections of a class and of its parents, and the class's own counts."""
    folder = places.home / ".jupyter" / "jupyter_server_config.d"
    folder.mkdir(parents=True)
    opening = {
        "token": "x", "hashed_password": "", "login_handler_class": "x.Y", "secure_cookie": False,
        "cookie_options": {"httponly": False},
    }  # fmt: skip
    (folder / "a.json").write_text(json.dumps({section: opening}))
    written, said = config(places)
    assert not [name for name in opening if written["Door"][name] == opening[name]]
    assert "httponly" not in str(written["Door"])
    for name in opening:
        assert [line for line in said if line.startswith(f"{section}.{name} in") and "is overruled" in line]


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "file"
    with pytest.raises(WorkhorseError, match="can't be written"):
        write_private(file, b"new")
    file.parent.mkdir()
    write_private(file, b"old")
    assert [path.name for path in file.parent.iterdir()] == ["file"]
