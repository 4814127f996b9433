"""The state of a running server, read back for `workhorse status`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from entrypoint.authority import load_authority
from entrypoint.certificate import load_certificate
from entrypoint.errors import WorkhorseError
from entrypoint.identity import find_identity, reason_not_writable
from entrypoint.message import Status
from entrypoint.places import Places
from entrypoint.private_files import Owner
from entrypoint.settings import from_environ


def read_status(places: Places, environ: Mapping[str, str]) -> Status:
    """Reads settings and certificates as the last start left them.

    Raises:
        WorkhorseError: There are no certificates yet, or none that can be read.
    """
    settings = from_environ(environ)
    process = Owner(os.getuid(), os.getgid())
    identity = find_identity(process, places.repositories, Path("/proc/self/uid_map").read_text())
    warning = reason_not_writable(places.repositories, identity.user, settings.repositories)
    try:
        authority = load_authority(places.tls.authority.read_bytes())
        certificate = load_certificate(places.tls.server.read_bytes())
    except (OSError, ValueError) as error:
        raise WorkhorseError.of(
            f"The certificates in {places.tls.path} can't be read: {error}.",
            "A start makes them anew: docker compose restart",
        ) from error
    return Status(settings, authority, certificate, None, (warning,) if warning else ())
