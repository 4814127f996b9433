"""A certificate of the person's own, from a university's authority or elsewhere: judged, and copied into the volume."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from entrypoint.certificates.served import ServedCertificate, read_pair, reason_against_now, reason_incomplete
from entrypoint.certificates.serving import set_unreadable_aside
from entrypoint.files.places import Places, TlsFolder
from entrypoint.files.private import forget, read_private, write_private
from entrypoint.files.public import write_public
from entrypoint.files.stamps import Stamp, read_stamp, stamp
from entrypoint.files.untrusted import read_linked, read_untrusted, shown
from entrypoint.settings.names import ServerName
from entrypoint.settings.settings import Settings

Read = Callable[[Path], bytes]
# More than is ever found, and longer than any line of it.
LINES_MAX, LENGTH_MAX = 10, 2000
AGAIN = "The one before, or else the private authority's, goes on serving. When the files are mended, that is noticed."


@dataclass(frozen=True)
class Judgement:
    """What a person should know about their pair, and the state of the files that this was found in.

    Args:
        stamp: None where the pair is not used, or was written to meanwhile: then it is to be judged again.
        files: The state of the pair alone, as it was read.
        is_closed: Whether the process was not allowed to read it.
    """

    lines: tuple[str, ...] = ()
    stamp: Stamp | None = None
    files: Stamp | None = None
    is_closed: bool = False


class ClosedFileError(ValueError):
    """A file that another user may read."""


def stamp_of_own(folder: TlsFolder, files: tuple[Path, Path]) -> Stamp:
    """Of the pair and of its copy in the volume, which is made again if it is damaged."""
    return stamp([*files, folder.own])


def install_own(
    folder: TlsFolder,
    files: tuple[Path, Path],
    names: Sequence[ServerName],
    now: datetime,
    read: Read = read_linked,
) -> Judgement:
    """Copies the pair into the volume if it is sound.

    The copy is what serves: it is replaced in one step, and outlives what happens to the files.

    Args:
        files: The certificate with its chain, and the key.
        read: How to get at what they hold.
    """
    before = stamp(files)
    aside = tuple(set_unreadable_aside([folder.own]))
    try:
        certificate = read_own(files, now, read)
    except ValueError as error:
        line = f"CERTIFICATE_FILE and KEY_FILE are not used: {error}. {AGAIN}"
        return Judgement((*aside, line), None, before, isinstance(error, ClosedFileError))
    if read_private(folder.own) != certificate.pem:
        write_private(folder.own, certificate.pem)
    after = stamp_of_own(folder, files)
    return Judgement((*aside, *_remarks(certificate, names)), after if after[: len(files)] == before else None, before)


def _remarks(certificate: ServedCertificate, names: Sequence[ServerName]) -> Iterator[str]:
    if certificate.leaf.issuer == certificate.leaf.subject:
        yield "Your own certificate is signed by itself, so browsers warn of it."
    if uncovered := certificate.uncovered([name for name in names if not name.address]):
        yield f"Your own certificate doesn't name {', '.join(uncovered)}; the private authority's serves there."
    if reason := reason_incomplete(certificate):
        yield f"CERTIFICATE_FILE: {reason}. Phones may refuse it: append the certificates in between to the file."


def own_files(places: Places, settings: Settings) -> tuple[Path, Path] | None:
    """The certificate with its chain, and the key; None where the person has none."""
    if not settings.certificate_file:
        return None
    return places.certificates / settings.certificate_file, places.certificates / settings.key_file


def hold(files: tuple[Path, Path] | None) -> Read:
    """Reads the pair while the start may still read what the person may not, for later."""
    held: dict[Path, bytes | OSError] = {}
    for file in files or ():
        try:
            held[file] = read_linked(file)
        except OSError as error:
            held[file] = error

    def read(file: Path) -> bytes:
        if isinstance(found := held[file], OSError):
            raise found
        return found

    return read


def keep_own_certificate(places: Places, settings: Settings, now: datetime, read: Read) -> None:
    """At the start, with what that could read; the server goes on from its judgement."""
    forget(places.own_judgement)
    if files := own_files(places, settings):
        write_judgement(places, install_own(places.tls, files, settings.server_names, now, read))


def write_judgement(places: Places, judgement: Judgement) -> None:
    """Leaves it for the running server, which then says nothing twice, and for the `workhorse` commands."""
    text = json.dumps([judgement.lines, judgement.stamp, judgement.files])
    write_public(places.own_judgement, text.encode())


def read_judgement(places: Places) -> Judgement:
    """What was found last; nothing where that is gone."""
    try:
        lines, *stamps = json.loads(read_untrusted(places.own_judgement))
        whole, files = map(read_stamp, stamps)
        # The server's user, and so a notebook, may write there.
        return Judgement(tuple(shown(line, LENGTH_MAX) for line in map(str, lines[:LINES_MAX])), whole, files)
    except (OSError, ValueError, TypeError, RecursionError):
        return Judgement()


def read_own(files: tuple[Path, Path], now: datetime, read: Read) -> ServedCertificate:
    """The person's pair, if it can be served with now.

    Raises:
        ValueError: Why not.
    """
    from entrypoint.certificates.contexts import reason_not_servable  # most starts have no certificate to try

    certificate = read_pair(*(_read(file, read) for file in files))
    if reason := reason_against_now(certificate, now) or reason_not_servable(certificate.pem):
        raise ValueError(reason)
    return certificate


def _read(file: Path, read: Read) -> bytes:
    try:
        content = read(file)
    except PermissionError:
        raise ClosedFileError(
            f"{file} can't be read by user {os.geteuid()}; let that user read it, or read it once more as root with: "
            "docker compose restart workhorse"
        ) from None
    except OSError as error:
        raise ValueError(f"{file} can't be read ({error.strerror})") from None
    if not content.strip():
        raise ValueError(f"{file} is empty")
    return content
