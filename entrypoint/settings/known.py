"""The settings as the start found them, kept for the `workhorse` commands."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.public import write_public
from entrypoint.files.untrusted import read_untrusted
from entrypoint.settings.settings import Settings, from_environ, variable_names

# Everybody in the container may read the file, and is told nothing about the password: neither it nor how good it is.
PASSWORD = {"JUPYTER_PASSWORD", "JUPYTER_PASSWORD_FILE"}
SECRETS = {*PASSWORD, "NOTIFY_URL"}


@dataclass(frozen=True)
class KnownSettings:
    """All settings but the secret ones."""

    settings: Settings
    has_password: bool


def write_known_settings(places: Places, environ: Mapping[str, str], has_password: bool) -> None:
    """Keeps what `.env` held at the start, in memory and for as long as the container lives."""
    kept = {name: environ[name] for name in variable_names() if name in environ and name not in SECRETS}
    write_public(places.known_settings, json.dumps({"environ": kept, "has_password": has_password}).encode())


def read_known_settings(places: Places) -> KnownSettings:
    """What the start of this container found.

    Raises:
        WorkhorseError: It has not been started.
    """
    try:
        known = json.loads(read_untrusted(places.known_settings))
        return KnownSettings(from_environ(known["environ"]), bool(known["has_password"]))
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise WorkhorseError.of(
            "The settings are not known here, since this container's start has not read them.",
            "Start the server first: docker compose up -d",
        ) from error


def given_password(environ: Mapping[str, str]) -> Settings | None:
    """The password's own settings, which the environment of `docker compose exec` holds; None where they are not."""
    try:
        settings = from_environ({name: environ.get(name, "") for name in PASSWORD})
    except WorkhorseError:  # its file may be root's alone
        return None
    return None if settings.jupyter_password is None else settings
