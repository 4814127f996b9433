"""What the settings say about certificates, as the start and the running server both need it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from entrypoint.files.places import Places
from entrypoint.renewal.acme import Acme
from entrypoint.settings.names import ServerName, public_names


@dataclass(frozen=True)
class Plan:
    """The names to serve, and where certificates for them come from besides the private authority."""

    names: tuple[ServerName, ...]
    own_files: tuple[Path, Path] | None = None
    acme: Acme | None = None

    @property
    def public(self) -> tuple[ServerName, ...]:
        return public_names(self.names) if self.acme else ()


def make_plan(settings: Mapping[str, Any], places: Places) -> Plan:
    """The plan, from the settings as the server's configuration holds them (see `for_the_server`)."""

    def file(name: str) -> Path | None:
        return places.certificates / settings[name] if settings[name] else None

    certificate, key = file("certificate_file"), file("key_file")
    acme = Acme(
        settings["letsencrypt_email"],
        places.tls.certbot,
        settings["acme_server"],
        file("acme_ca_file"),
        file("acme_dns_hook"),
    )
    return Plan(
        tuple(map(ServerName, settings["names"])),
        (certificate, key) if certificate and key else None,
        acme if acme.email else None,
    )
