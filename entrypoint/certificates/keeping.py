"""Keeps the authority and the server's certificate in the volume: what serves is kept, what doesn't is made anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from entrypoint.certificates import authority as authorities
from entrypoint.certificates import leaf as certificates
from entrypoint.certificates.authority import Authority
from entrypoint.certificates.leaf import Certificate
from entrypoint.files.places import TlsFolder
from entrypoint.files.private import make_private_folder, read_private, replace_private, set_aside, write_private
from entrypoint.settings.names import LOCAL_NAMES, ServerName

Pair = TypeVar("Pair", Authority, Certificate)
Say = Callable[[str], None]


def keep_certificates(
    folder: TlsFolder, names: tuple[ServerName, ...], now: datetime, say: Say
) -> tuple[Authority, Certificate]:
    """The authority and the certificate to serve with, for the local names and the given ones."""
    all_names = tuple(dict.fromkeys((*LOCAL_NAMES, *names)))
    make_private_folder(folder.path)
    authority = _keep_authority(folder.authority, all_names, now, say)
    certificate = load_kept(folder.server, certificates.load_certificate, say)
    reason = certificates.reason_to_renew(certificate, authority, all_names, now) if certificate else None
    if certificate and not reason:
        return authority, certificate
    if reason:
        say(f"The server gets a new certificate. The old one: {reason}.")
    certificate = certificates.make_certificate(authority, all_names, now)
    write_private(folder.server, certificate.pem)
    return authority, certificate


def _keep_authority(path: Path, names: tuple[ServerName, ...], now: datetime, say: Say) -> Authority:
    authority = load_kept(path, authorities.load_authority, say)
    if authority:
        reason = authorities.reason_to_replace(authority, names, now)
        if not reason:
            return authority
        say(f"A new private authority is made. The old one: {reason}. Every device has to trust the new one.")
    authority = authorities.make_authority(names, now)
    replace_private(path, authority.pem)
    return authority


def load_kept(path: Path, load: Callable[[bytes], Pair], say: Say) -> Pair | None:
    """What a file holds; what can't be used is set aside, and that is said."""
    try:
        pem = read_private(path)
        return load(pem) if pem is not None else None
    # cryptography raises more than ValueError for what is not a certificate, and a directory is an OSError.
    except Exception as error:
        aside = set_aside(path)
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        say(f"{path} can't be used ({why}); it is kept as {aside} and made anew.")
        return None
