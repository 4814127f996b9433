"""The cluster's own authority, and the pair by which scheduler, workers and notebooks know each other.

Whoever has a pair of this authority's may run code in the cluster: Dask looks at nothing else. So it signs nothing but
that, and vouches for no page.
"""

from __future__ import annotations

from datetime import datetime

from cryptography.x509.oid import ExtendedKeyUsageOID

from entrypoint.certificates.authority import (
    VALIDITY_DAYS,
    Authority,
    load_authority,
    make_authority,
    reason_to_replace,
)
from entrypoint.certificates.keeping import Say, load_kept
from entrypoint.certificates.leaf import load_certificate, make_certificate, reason_to_renew
from entrypoint.files.places import Places
from entrypoint.files.private import replace_private, write_private
from entrypoint.settings.names import ServerName

# Compose's name of the scheduler.
NAMES = (ServerName("scheduler"),)
# Each of them calls and is called.
BOTH_SIDES = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH)


def keep_cluster(places: Places, now: datetime, say: Say) -> None:
    """Keeps authority and pair where compose/cluster.yml has a place for them, as root: a notebook sees the pair alone.

    Dask reads the pair once, when a process starts: it lasts as long as the authority.
    """
    if not places.cluster_authority.parent.is_dir():
        return
    authority = _keep_authority(places, now, say)
    pair = load_kept(places.cluster.pair, load_certificate, say)
    if pair is None or reason_to_renew(pair, authority, NAMES, now):
        pair = make_certificate(authority, NAMES, now, VALIDITY_DAYS, BOTH_SIDES)
        write_private(places.cluster.pair, pair.pem)
    write_private(places.cluster.authority, authority.certificate_pem)


def _keep_authority(places: Places, now: datetime, say: Say) -> Authority:
    authority = load_kept(places.cluster_authority, load_authority, say)
    reason = reason_to_replace(authority, NAMES, now) if authority else None
    if authority and not reason:
        return authority
    if reason:
        say(f"The cluster gets a new authority. The old one: {reason}. For all of it: docker compose restart")
    authority = make_authority(NAMES, now, "Workhorse cluster authority")
    replace_private(places.cluster_authority, authority.pem)
    return authority
