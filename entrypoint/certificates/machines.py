"""The other machines that may join the cluster: a pair for each, which ends by itself, and can be taken back before.

All of it is done by root at the door, who alone has the key of the cluster's authority.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from datetime import datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from entrypoint.certificates.authority import BACKDATE, Authority, load_authority
from entrypoint.certificates.cluster import BOTH_SIDES, NAMES
from entrypoint.certificates.keeping import Say
from entrypoint.certificates.leaf import make_certificate
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.private import write_private
from entrypoint.files.untrusted import read_untrusted

# Nobody need be told when a machine is given away: a month later it can't come in any more.
VALIDITY_DAYS = 30


@dataclass(frozen=True)
class Machine:
    """What a machine was given: its pair's serial number, and until when that is good.

    Args:
        serial: In decimal digits; JSON's readers lose some of so large a number.
    """

    name: str
    serial: str
    ends: datetime
    is_removed: bool = False


@dataclass(frozen=True)
class Bundle:
    """What a machine joins by. The pair's key is a secret."""

    authority: bytes
    pair: bytes
    ends: datetime


def admit(places: Places, name: str, now: datetime) -> Bundle:
    """Signs a pair for a machine.

    Raises:
        WorkhorseError: There is no authority yet.
    """
    authority = _authority(places)
    pair = make_certificate(authority, NAMES, now, VALIDITY_DAYS, BOTH_SIDES)
    _write(places, (*read_machines(places, now), Machine(name, str(pair.leaf.serial_number), pair.last_day)))
    return Bundle(authority.certificate_pem, pair.pem, pair.last_day)


def remove(places: Places, name: str, now: datetime) -> bytes:
    """Takes back every pair of a machine; the list of all that were, signed, in PEM.

    Raises:
        WorkhorseError: No machine of that name has a pair.
    """
    machines = read_machines(places, now)
    if name not in {each.name for each in machines}:
        known = ", ".join(sorted({each.name for each in machines if not each.is_removed})) or "none"
        raise WorkhorseError.of(
            f"No machine '{name}' may join this cluster. Those that may: {known}.",
            "For fewer workers on this machine, in .env: WORKERS=1   then: docker compose up -d",
        )
    machines = tuple(replace(each, is_removed=each.is_removed or each.name == name) for each in machines)
    _write(places, machines)
    revoked = revocations(_authority(places), machines, now)
    write_private(places.cluster.revoked, revoked)
    return revoked


def keep_revocations(places: Places, now: datetime, say: Say) -> None:
    """At a start: signs anew what was taken back, since the authority may be a new one."""
    if not places.cluster_authority.parent.is_dir():
        return
    try:
        machines = read_machines(places, now)
        if any(each.is_removed for each in machines):
            write_private(places.cluster.revoked, revocations(_authority(places), machines, now))
        else:
            places.cluster.revoked.unlink(missing_ok=True)
    except WorkhorseError as error:  # of which the door itself knows nothing
        say(str(error))


def revocations(authority: Authority, machines: tuple[Machine, ...], now: datetime) -> bytes:
    """A list of revoked certificates (RFC 5280, section 5), which is good for as long as its authority."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(authority.certificate.subject)
        .last_update(now - BACKDATE)
        .next_update(authority.certificate.not_valid_after_utc)
    )
    for each in machines:
        if each.is_removed:
            revoked = x509.RevokedCertificateBuilder().serial_number(int(each.serial)).revocation_date(now)
            builder = builder.add_revoked_certificate(revoked.build())
    return builder.sign(authority.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def read_machines(places: Places, now: datetime) -> tuple[Machine, ...]:
    """Those whose pairs have not ended.

    Raises:
        WorkhorseError: The list can't be read, so that nobody knows what was taken back.
    """
    try:
        told = [_machine(**each) for each in json.loads(read_untrusted(places.cluster_machines))]
    except FileNotFoundError:
        return ()
    except (OSError, ValueError, TypeError) as error:
        raise WorkhorseError.of(
            f"{places.cluster_machines} can't be read: {error}.",
            "With a new authority, all of the cluster starts afresh: docs/cluster.md says how, at its end.",
        ) from error
    return tuple(each for each in told if each.ends > now)


def _machine(name: str, serial: str, ends: str, is_removed: bool) -> Machine:
    return Machine(name, str(int(serial)), datetime.fromisoformat(ends), is_removed)


def _write(places: Places, machines: tuple[Machine, ...]) -> None:
    told = [{**asdict(each), "ends": each.ends.isoformat()} for each in machines]
    write_private(places.cluster_machines, json.dumps(told).encode())


def _authority(places: Places) -> Authority:
    try:
        return load_authority(read_untrusted(places.cluster_authority))
    except (OSError, ValueError) as error:
        raise WorkhorseError.of(
            f"The cluster's authority can't be read: {error}.", "A start makes it: docker compose restart workhorse"
        ) from error
