"""A certificate of the person's own, from a university's authority or elsewhere: judged, and copied into the volume."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from entrypoint.names import ServerName
from entrypoint.places import Places, TlsFolder
from entrypoint.private_files import Owner, read_private, write_private
from entrypoint.served_certificate import ServedCertificate, read_pair, reason_against_now, reason_incomplete
from entrypoint.serving import set_unreadable_aside
from entrypoint.settings import Settings
from entrypoint.stamps import Stamp, read_stamp, stamp

AGAIN = "The one before, or else the private authority's, goes on serving. When the files are mended, that is noticed."


@dataclass(frozen=True)
class Judgement:
    """What a person should know about their pair, and the state of the files that this was found in.

    Args:
        stamp: None where the pair is not used, or was written to meanwhile: then it is to be judged again.
    """

    lines: tuple[str, ...] = ()
    stamp: Stamp | None = None


def stamp_of_own(folder: TlsFolder, files: tuple[Path, Path]) -> Stamp:
    """Of the pair and of its copy in the volume, which is made again if it is damaged."""
    return stamp([*files, folder.own])


def install_own(
    folder: TlsFolder, files: tuple[Path, Path], names: Sequence[ServerName], now: datetime, owner: Owner | None
) -> Judgement:
    """Copies the pair into the volume if it is sound.

    The copy is what serves: it is replaced in one step, and outlives what happens to the files.

    Args:
        files: The certificate with its chain, and the key.
    """
    before = stamp(files)
    aside = tuple(set_unreadable_aside([folder.own]))
    try:
        certificate = read_own(files, now)
    except ValueError as error:
        return Judgement((*aside, f"CERTIFICATE_FILE and KEY_FILE are not used: {error}. {AGAIN}"))
    if read_private(folder.own) != certificate.pem:
        write_private(folder.own, certificate.pem, owner)
    after = stamp_of_own(folder, files)
    return Judgement((*aside, *_remarks(certificate, names)), after if after[: len(files)] == before else None)


def _remarks(certificate: ServedCertificate, names: Sequence[ServerName]) -> Iterator[str]:
    if uncovered := certificate.uncovered([name for name in names if not name.address]):
        yield f"Your own certificate doesn't name {', '.join(uncovered)}; the private authority's serves there."
    if reason := reason_incomplete(certificate):
        yield f"CERTIFICATE_FILE: {reason}. Phones may refuse it: append the certificates in between to the file."


def keep_own_certificate(
    places: Places, settings: Settings, now: datetime, owner: Owner | None, say: Callable[[str], None]
) -> None:
    """At the start, which may read what the server's user may not; the server goes on from its judgement."""
    if settings.certificate_file:
        files = places.certificates / settings.certificate_file, places.certificates / settings.key_file
        judgement = install_own(places.tls, files, settings.server_names, now, owner)
        for line in judgement.lines:
            say(line)
        places.own_judgement.write_text(json.dumps([judgement.lines, judgement.stamp]))
        places.own_judgement.chmod(0o644)


def read_judgement(places: Places) -> Judgement:
    """What the start found, so that the running server says nothing twice; nothing where that is gone."""
    try:
        lines, stamped = json.loads(places.own_judgement.read_text())
        return Judgement(tuple(map(str, lines)), read_stamp(stamped))
    except (OSError, ValueError, TypeError):
        return Judgement()


def read_own(files: tuple[Path, Path], now: datetime) -> ServedCertificate:
    """The person's pair, if it can be served with now.

    Raises:
        ValueError: Why not.
    """
    from entrypoint.tls_context import reason_not_servable  # most starts have no certificate to try

    certificate = read_pair(*map(_read, files))
    if reason := reason_against_now(certificate, now) or reason_not_servable(certificate.pem):
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
