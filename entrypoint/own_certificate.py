"""A certificate of the person's own, from a university's authority or elsewhere: judged, and copied into the volume."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

from entrypoint.names import ServerName
from entrypoint.places import Places, TlsFolder
from entrypoint.private_files import Owner, read_private, write_private
from entrypoint.served_certificate import ServedCertificate, read_pair, reason_against_now, reason_incomplete
from entrypoint.serving import set_unreadable_aside
from entrypoint.settings import Settings

AGAIN = "The one before, or else the private authority's, goes on serving. When the files are mended, that is noticed."


def install_own(
    folder: TlsFolder, files: tuple[Path, Path], names: Sequence[ServerName], now: datetime, owner: Owner | None
) -> Iterator[str]:
    """Copies the pair into the volume if it is sound, and yields what a person should know about it.

    The copy is what serves: it is replaced in one step, and outlives what happens to the files.

    Args:
        files: The certificate with its chain, and the key.
    """
    yield from set_unreadable_aside([folder.own])
    try:
        certificate = read_own(files, now)
    except ValueError as error:
        yield f"CERTIFICATE_FILE and KEY_FILE are not used: {error}. {AGAIN}"
        return
    if uncovered := certificate.uncovered([name for name in names if not name.address]):
        yield f"Your own certificate doesn't name {', '.join(uncovered)}; the private authority's serves there."
    if reason := reason_incomplete(certificate):
        yield f"CERTIFICATE_FILE: {reason}. Phones may refuse it: append the certificates in between to the file."
    if read_private(folder.own) != certificate.pem:
        write_private(folder.own, certificate.pem, owner)


def keep_own_certificate(
    places: Places, settings: Settings, now: datetime, owner: Owner | None, say: Callable[[str], None]
) -> None:
    """At the start, which may read what the server's user may not."""
    if settings.certificate_file:
        files = places.certificates / settings.certificate_file, places.certificates / settings.key_file
        for line in install_own(places.tls, files, settings.server_names, now, owner):
            say(line)


def read_own(files: tuple[Path, Path], now: datetime) -> ServedCertificate:
    """The person's pair, if it can be served with now.

    Raises:
        ValueError: Why not.
    """
    certificate = read_pair(*map(_read, files))
    if reason := reason_against_now(certificate, now):
        raise ValueError(reason)
    return certificate


def _read(file: Path) -> bytes:
    try:
        content = file.read_bytes()
    except PermissionError:
        raise ValueError(
            f"{file} can't be read by user {os.geteuid()}; let that user read it, or read it once more as root with: "
            "docker compose restart"
        ) from None
    except OSError as error:
        raise ValueError(f"{file} can't be read ({error.strerror})") from None
    if not content.strip():
        raise ValueError(f"{file} is empty")
    return content
