"""The configuration of a Jupyter server, as its own JSON: the person's own, and over it what Workhorse decides."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted, shown
from entrypoint.home.personal_files import set_odd_settings_aside

Config = dict[str, dict[str, Any]]

PORT = 8888

# Of all the personal files together: far more than people write by hand, and so little that a start copes.
PERSONAL_BYTES_MAX, PERSONAL_FILES_MAX, PERSONAL_DEPTH_MAX = 128 * 1024, 100, 20


def write_config(file: Path, ours: Config, home: Path, say: Callable[[str], None]) -> None:
    """Writes a server's configuration over the person's own, and says what it overrules."""
    set_odd_settings_aside(home, say)
    personal, unreadable = personal_config(home)
    for line in unreadable:
        say(line)
    for name in overruled(personal, ours):
        say(f"{name} in ~/.jupyter/jupyter_server_config.d is overruled: Workhorse decides it.")
    write_private(file, json.dumps(merge(personal, ours)).encode())


def server_config(places: Places, socket: Path) -> Config:
    """What Workhorse decides for every server; it wins over a person's own files.

    Args:
        socket: Where the door comes in. Without its folder there is no door.
    """
    return {
        "ServerApp": {
            **_listening(socket),
            "root_dir": str(places.repositories),
            "open_browser": False,
            "allow_remote_access": True,
            # In rootless Docker uid 0 is the person.
            "allow_root": True,
            "contents_manager_class": "entrypoint.jupyter.files.Files",
            # Milliseconds. Before each ping Jupyter asks whether the last answer is older than the time-out, so one
            # no longer than the interval closes every websocket at the first ping.
            "tornado_settings": {"ws_ping_interval": 30_000, "ws_ping_timeout": 90_000},
        },
        # The page says so; where it is, entrypoint/jupyter/trash.py decides.
        "FileContentsManager": {"delete_to_trash": True},
        # What is hidden is shown to who asks for it: View > Show Hidden Files.
        "ContentsManager": {"allow_hidden": True},
    }


def _listening(socket: Path) -> dict[str, Any]:
    """Behind a door, on the socket that only the door shares; alone, as Jupyter does, with a token of its own."""
    if not socket.parent.is_dir():
        return {"ip": "*", "port": PORT, "port_retries": 0}
    return {
        "sock": str(socket),
        # What a person has set for a Jupyter of their own would end this one, or keep the door out.
        "port": PORT,
        "file_to_run": "",
        "certfile": "",
        "keyfile": "",
        "client_ca": "",
        "base_url": "/",
        # Whoever the door runs as; nobody else sees the folder.
        "sock_mode": "0666",
        # The door's word on who asks, and that it is by TLS.
        "trust_xheaders": True,
        "identity_provider_class": "entrypoint.jupyter.identity.LetInByTheDoor",
        "allow_unauthenticated_access": False,
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
        into[section] = under | {key: _merged(under.get(key), values[key]) for key in values}


def _merged(under: Any, over: Any) -> Any:
    """What lies over wins, in a dictionary key by key, as Jupyter merges its own files."""
    if not (isinstance(under, dict) and isinstance(over, dict)):
        return over
    return under | {key: _merged(under.get(key), value) for key, value in over.items()}


def overruled(personal: Config, ours: Config) -> Iterator[str]:
    """The names of a person's settings that Workhorse decides otherwise."""
    for section, values in personal.items():
        decided = ours.get(section, {})
        for name in filter(decided.__contains__, values):
            yield from _overruled(f"{section}.{name}", values[name], decided[name])


def _overruled(name: str, personal: Any, ours: Any) -> Iterator[str]:
    if isinstance(personal, dict) and isinstance(ours, dict):
        for key in filter(ours.__contains__, personal):
            yield from _overruled(f"{name}.{key}", personal[key], ours[key])
    elif personal != ours:
        yield name


def merge(personal: Config, ours: Config) -> Config:
    merged: Config = {}
    _merge(merged, personal)
    _merge(merged, ours)
    return merged
