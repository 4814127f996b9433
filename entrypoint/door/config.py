"""What the running door needs of the settings, as its start leaves it; the secrets stay in files of their own."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted
from entrypoint.login.lock import Lock
from entrypoint.settings.settings import Settings

OF_CERTIFICATES = (
    "certificate_file", "key_file", "letsencrypt_email", "acme_server", "acme_ca_file", "acme_dns_hook",
)  # fmt: skip
OF_LOGINS = ("session_days", "totp", "trusted_proxies")


def write_config(places: Places, settings: Settings) -> None:
    write_private(places.config, json.dumps(for_the_server(settings)).encode())


def read_config(path: Path) -> Mapping[str, Any]:
    """What `write_config` has written.

    Raises:
        WorkhorseError: It can't be read.
    """
    try:
        config: Mapping[str, Any] = json.loads(read_untrusted(path))
    except (OSError, ValueError) as error:
        raise WorkhorseError.of(
            f"{path} can't be read: {error}.", "A start writes it anew: docker compose restart workhorse"
        ) from error
    return config


def for_the_server(settings: Settings) -> dict[str, Any]:
    """None of it is secret."""
    names = list(map(str, settings.server_names))
    return {"names": names, **{name: getattr(settings, name) for name in (*OF_CERTIFICATES, *OF_LOGINS)}}


def lock_of(config: Mapping[str, Any]) -> Lock:
    return Lock(config["session_days"], config["totp"], config["trusted_proxies"])
