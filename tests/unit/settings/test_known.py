"""What the commands know of the settings, wherever they are typed."""

from __future__ import annotations

import stat
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from entrypoint.certificates import commands as certificate_commands
from entrypoint.commands import cli
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.login import enrolment
from entrypoint.report import audit
from entrypoint.settings.known import given_password, read_known_settings, write_known_settings
from entrypoint.settings.settings import from_environ

SECRET = "pa$$word #'\" \\ % ü 🐴"
ENVIRON = {
    "SERVER_NAMES": "lab.example.org,bücher.example,[fd00::1]",
    "BIND_ADDRESS": "192.168.1.20",
    "PORT": "9999",
    "TOTP": "on",
    "REPOSITORIES": "/data/no\udcfftebooks",
    "LETSENCRYPT_EMAIL": "ada@example.org",
    "ACME_SERVER": "",
}


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    places.run.mkdir(parents=True)
    places.state.mkdir(parents=True)
    return places


@pytest.mark.parametrize("has_password", [True, False])
def test_they_are_read_as_the_start_found_them(places: Places, has_password: bool) -> None:
    write_known_settings(places, {"PORT": "1111"}, not has_password)
    write_known_settings(places, ENVIRON, has_password)
    known = read_known_settings(places)
    assert known.settings == from_environ(ENVIRON)
    assert known.has_password is has_password


def test_neither_the_password_nor_anything_about_it_is_kept(places: Places) -> None:
    others = {"HOME": "/home/workhorse", "SOME_TOKEN": "of-another-program"}
    write_known_settings(places, {**others, "JUPYTER_PASSWORD": SECRET, "PORT": "9999"}, True)
    assert places.known_settings.read_text() == '{"environ": {"PORT": "9999"}, "has_password": true}'
    write_known_settings(places, {**others, "JUPYTER_PASSWORD_FILE": "/run/secrets/x", "PORT": "9999"}, True)
    assert places.known_settings.read_text() == '{"environ": {"PORT": "9999"}, "has_password": true}'
    write_known_settings(places, {**others, "NOTIFY_URL": f"json://host/{SECRET}", "PORT": "9999"}, True)
    assert places.known_settings.read_text() == '{"environ": {"PORT": "9999"}, "has_password": true}'


def test_a_terminal_may_read_them_and_not_change_them(places: Places) -> None:
    write_known_settings(places, ENVIRON, True)
    assert stat.S_IMODE(places.known_settings.stat().st_mode) == 0o644


@pytest.mark.parametrize("damage", ["", "{", "[]", "{}", '{"environ": 1, "has_password": true}', "[" * 20_000, None])
@pytest.mark.parametrize(
    "command",
    [cli.status, cli.reset_password, certificate_commands.renew, certificate_commands.new_authority, enrolment.totp,
     audit.audit],
)  # fmt: skip
def test_a_command_that_doesn_t_know_them_says_so_and_changes_nothing(
    places: Places, command: Callable[[Places, Namespace], int], damage: str | None
) -> None:
    if damage is not None:
        places.known_settings.write_text(damage)
    with pytest.raises(WorkhorseError) as error:
        command(places, Namespace(stop=False, json=False))
    first, remedy = str(error.value).splitlines()
    assert first.startswith("The settings are not known here")
    assert remedy.endswith("docker compose up -d")
    assert list(places.state.iterdir()) == []


def test_the_password_is_known_where_the_environment_holds_it_and_nowhere_else(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text(SECRET)
    for environ in ({"JUPYTER_PASSWORD": SECRET}, {"JUPYTER_PASSWORD_FILE": str(file)}):
        # A variable of a terminal's own is no setting.
        given = given_password({**environ, "PORT": "of my program"})
        assert given is not None
        assert given.jupyter_password == SECRET
    assert given_password({}) is None
    assert given_password({"JUPYTER_PASSWORD_FILE": "/nowhere"}) is None
