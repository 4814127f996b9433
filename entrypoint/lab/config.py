"""The notebook server's configuration, as Jupyter's own JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home.home import worlds_of
from entrypoint.settings.settings import Settings

Config = dict[str, dict[str, Any]]

PAGES = Path(__file__).parents[1] / "door" / "pages"
LABEXTENSIONS = Path("share/jupyter/labextensions")

PORT = 8888
# Two thirds for a kernel to end by itself, so that `docker compose stop` is over within 5 seconds.
KERNEL_SHUTDOWN_SECONDS = 2.0
# One object has the settings of a class and of its parents: where several sections set the same, the last counts.
DOOR_SECTIONS = ("IdentityProvider", "PasswordIdentityProvider", "Door")

# Of all the personal files together: far more than people write by hand, and so little that a start copes.
PERSONAL_BYTES_MAX, PERSONAL_FILES_MAX, PERSONAL_DEPTH_MAX = 128 * 1024, 100, 20


def server_config(places: Places, settings: Settings, hashed_password: str) -> Config:
    """What Workhorse decides; it wins over a person's own files."""
    return {
        "ServerApp": {
            "ip": "*",
            "port": PORT,
            "port_retries": 0,
            "certfile": str(places.tls.server),
            "keyfile": str(places.tls.server),
            "cookie_secret_file": str(places.cookie_secret),
            "root_dir": str(places.repositories),
            "extra_template_paths": [str(PAGES)],
            "open_browser": False,
            "allow_remote_access": True,
            # In rootless Docker uid 0 is the person.
            "allow_root": True,
            # JupyterLab has "Log Out" only beside "Shut Down", which image/overrides.json takes off the menu. The
            # command palette keeps it, and asks before.
            "quit_button": True,
            "identity_provider_class": "entrypoint.login.door.Door",
            "allow_unauthenticated_access": False,
            "contents_manager_class": "entrypoint.lab.files.Files",
            "kernel_spec_manager_class": "entrypoint.lab.kernel_specs.EnvironmentKernelSpecs",
            "kernel_manager_class": "entrypoint.lab.kernels.NamedKernels",
            "kernel_websocket_connection_class": "entrypoint.lab.connection.ToldConnection",
            # Milliseconds. Before each ping Jupyter asks whether the last answer is older than the time-out, so one
            # no longer than the interval closes every websocket at the first ping.
            "tornado_settings": {
                "ws_ping_interval": 30_000,
                "ws_ping_timeout": 90_000,
                # Not HttpOnly: JupyterLab reads it.
                "xsrf_cookie_kwargs": {"secure": True, "samesite": "Lax"},
            },
        },
        "Door": _door(settings, hashed_password),
        "FileContentsManager": {"delete_to_trash": False},
        "AsyncKernelManager": {"shutdown_wait_time": KERNEL_SHUTDOWN_SECONDS},
        "TerminalsExtensionApp": {"terminal_manager_class": "entrypoint.lab.terminals.Terminals"},
        # Kernels that can encrypt do; the others go on as ever.
        "MappingKernelManager": {
            "transport_encryption": "auto",
            "kernel_manager_class": "entrypoint.lab.kernels.ExpendableKernel",
        },
        # Nothing calls the internet by itself, and the server's environment can't be written to.
        "LabApp": {
            # Not None, or JupyterLab would not even ask: the answer is the login before (see news.py).
            "news_url": "",
            "check_for_updates_class": "jupyterlab.NeverCheckForUpdate",
            "extension_manager": "readonly",
            # Widgets' browser side comes with the kernel's packages; a person's own come first.
            "extra_labextensions_path": [str(world / LABEXTENSIONS) for world in worlds_of(places.home)],
        },
    }


def _door(settings: Settings, hashed_password: str) -> dict[str, Any]:
    """All in the last of `DOOR_SECTIONS`, so that no other can win over it."""
    return {
        "token": "",
        "hashed_password": hashed_password,
        "allow_password_change": False,
        "login_handler_class": "entrypoint.login.form.LoginHandler",
        "logout_handler_class": "entrypoint.login.logout.LogoutHandler",
        "secure_cookie": True,
        "cookie_options": {"samesite": "Lax", "expires_days": settings.session_days},
        "get_secure_cookie_kwargs": {"max_age_days": settings.session_days},
        "trusted_proxies": settings.trusted_proxies,
        "second_factor": settings.totp,
    }


def personal_config(home: Path) -> tuple[Config, list[str]]:
    """What a person's own `jupyter_server_config.d/*.json` set, later files first in rank, and what can't be read."""
    merged: Config = {}
    unreadable: list[str] = []
    left = PERSONAL_BYTES_MAX
    for file in sorted((home / ".jupyter" / "jupyter_server_config.d").glob("*.json"))[:PERSONAL_FILES_MAX]:
        try:
            content = read_untrusted(file, left, follow=True)
            _merge(merged, _sections(json.loads(content)))
            left -= len(content)
        except (OSError, ValueError, RecursionError) as error:
            unreadable.append(f"{shown(str(file))} is left out, since it can't be read as settings: {error}.")
    return merged, unreadable


def _sections(config: object) -> Config:
    if not isinstance(config, dict) or not all(isinstance(section, dict) for section in config.values()):
        raise ValueError('it is not of the form {"ServerApp": {"name": "value"}}')
    if _is_deeper(config, PERSONAL_DEPTH_MAX):
        raise ValueError(f"it is nested more than {PERSONAL_DEPTH_MAX} deep")
    return config


def _is_deeper(value: object, levels: int) -> bool:
    within = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(levels == 0 or _is_deeper(each, levels - 1) for each in within)


def _merge(into: Config, config: Config) -> None:
    for section, values in config.items():
        under = into.get(section, {})
        # The door's dictionaries are whole: what is added to a cookie's options can open it.
        over = values if section in DOOR_SECTIONS else {key: _merged(under.get(key), values[key]) for key in values}
        into[section] = under | over


def _merged(under: Any, over: Any) -> Any:
    """What lies over wins, in a dictionary key by key, as Jupyter merges its own files."""
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return under | {key: _merged(under.get(key), value) for key, value in over.items()}


def overruled(personal: Config, ours: Config) -> Iterator[str]:
    """The names of a person's settings that Workhorse decides otherwise."""
    for section, values in personal.items():
        is_door = section in DOOR_SECTIONS
        decided = ours.get("Door" if is_door else section, {})
        for name, value in values.items():
            if name in decided:
                yield from _overruled(f"{section}.{name}", value, decided[name], goes_on=not is_door)


def _overruled(name: str, personal: Any, ours: Any, goes_on: bool) -> Iterator[str]:
    if goes_on and isinstance(personal, dict) and isinstance(ours, dict):
        for key in filter(ours.__contains__, personal):
            yield from _overruled(f"{name}.{key}", personal[key], ours[key], goes_on)
    elif personal != ours:
        yield name


def merge(personal: Config, ours: Config) -> Config:
    merged: Config = {}
    _merge(merged, personal)
    _merge(merged, ours)
    return merged
