"""What a person asks of the certificates: `workhorse ca`, `share-ca`, `renew` and `new-authority`."""

from __future__ import annotations

import argparse
import sys
from datetime import UTC, datetime, timedelta

from entrypoint.certificates.authority import Authority, load_authority, make_authority
from entrypoint.certificates.sharing import MINUTES, PATH, apple_profile, open_sharing
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.lock import alone
from entrypoint.files.places import Places
from entrypoint.files.private import forget, make_private_folder, replace_private
from entrypoint.files.untrusted import read_untrusted
from entrypoint.settings.known import read_known_settings
from entrypoint.settings.names import LOCAL_NAMES
from entrypoint.settings.settings import Settings


def read_authority(places: Places) -> Authority:
    try:
        return load_authority(read_untrusted(places.tls.authority))
    except (OSError, ValueError) as error:
        raise WorkhorseError.of(
            f"{places.tls.authority} can't be read: {error}.", "Start the server first: docker compose up -d"
        ) from error


def ca(places: Places, arguments: argparse.Namespace) -> int:
    authority = read_authority(places)
    sys.stdout.buffer.write(apple_profile(authority) if arguments.apple else authority.certificate_pem)
    return 0


def share_ca(places: Places, arguments: argparse.Namespace) -> int:
    if arguments.stop:
        forget(places.sharing)
        print("The authority's certificate is offered no more.")
        return 0
    authority, settings = read_authority(places), read_known_settings(places).settings
    open_sharing(places.sharing)
    end = datetime.now(UTC) + timedelta(minutes=MINUTES)
    print(f"For {MINUTES} minutes, until {end:%H:%M} UTC, the authority's certificate is offered at:\n")
    _show_addresses(settings)
    print("Go on past the warning there, once, and compare the SHA-256 fingerprint with this one:")
    print(f"  {authority.fingerprint}")
    print("To end it sooner: docker compose exec workhorse workhorse share-ca --stop")
    return 0


def _show_addresses(settings: Settings) -> None:
    """With a QR code of the first, where a phone can reach it."""
    if settings.listen_address.is_loopback:
        print(f"  https://localhost:{settings.port}{PATH}   (through an ssh tunnel; BIND_ADDRESS keeps phones out)\n")
        return
    if not settings.server_names:
        print(f"  https://THIS-MACHINES-NAME:{settings.port}{PATH}\n")
        print("With that name in .env, a QR code leads phones there: SERVER_NAMES=lab.example.org,192.168.1.20\n")
        return
    import segno

    addresses = [f"https://{name.in_url}:{settings.port}{PATH}" for name in settings.server_names]
    print("\n".join(f"  {address}" for address in addresses), "\n\nThis opens the first:\n", sep="")
    segno.make(addresses[0]).terminal(compact=True)


def renew(places: Places, _: argparse.Namespace) -> int:
    if not read_known_settings(places).settings.letsencrypt_email:
        print("There is nothing to ask for: LETSENCRYPT_EMAIL is not set. The private authority's certificates")
        print("are renewed by themselves.")
        return 0
    make_private_folder(places.tls.path)
    # Not while the server adds another to what it has read before.
    with alone(places.tls.path):
        forget(places.tls.attempts)
    print("The next attempt starts within seconds: docker compose logs --follow workhorse")
    return 0


def new_authority(places: Places, _: argparse.Namespace) -> int:
    names = (*LOCAL_NAMES, *read_known_settings(places).settings.server_names)
    authority = make_authority(tuple(dict.fromkeys(names)), datetime.now(UTC))
    make_private_folder(places.tls.path)
    # The running server makes one itself where it finds none.
    aside = replace_private(places.tls.authority, authority.pem)
    print("A new private authority signs from now on; the server changes over within seconds, and no kernel notices.")
    print(f"Its SHA-256 fingerprint: {authority.fingerprint}")
    print("Every device has to trust it anew: docker compose exec workhorse workhorse share-ca")
    print("Remove the old one from them, above all if it may have been stolen: until you do, they believe it.")
    print(f"The old one is kept as {aside}." if aside else "There was none before.")
    return 0
