"""The start of the door, from the environment to the running server."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from entrypoint.certificates.cluster import keep_cluster
from entrypoint.certificates.keeping import keep_certificates
from entrypoint.certificates.machines import keep_revocations
from entrypoint.certificates.own import hold, keep_own_certificate, own_files
from entrypoint.commands.check import COMMANDS, check
from entrypoint.door.config import write_config
from entrypoint.door.state import (
    keep_cookie_secret,
    keep_layout,
    keep_notify_url,
    keep_open_logins,
    keep_password,
    write_password_hash,
)
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown_lines
from entrypoint.laptops.pairing import keep_pairing
from entrypoint.report.installation import keep_installation, tell_new_volumes
from entrypoint.report.made_of import differences
from entrypoint.report.message import message
from entrypoint.report.status import status_now
from entrypoint.settings.known import KnownSettings, write_known_settings
from entrypoint.settings.settings import from_environ, misspelt, variable_names
from entrypoint.system.handover import hand_over_run, hand_over_state
from entrypoint.system.identity import door_identity, write_accounts
from entrypoint.system.trust import trust_company, trusted

PYTHON, TINI = "/opt/server/bin/python", "/usr/bin/tini"
OPENSSL_CONFIG = Path(__file__).parents[1] / "certificates" / "openssl.cnf"


def start(environ: Mapping[str, str], arguments: list[str], now: datetime) -> None:
    """Prepares everything and becomes the server, or the command that was asked for instead."""
    places = Places()
    settings = from_environ(environ)
    known = KnownSettings(settings, settings.jupyter_password is not None)

    # As root, where the container starts as root: what only root may read or give away.
    identity = door_identity(places)
    hand_over_run(places.run, identity, places.server_run)
    write_accounts(identity.user, places.state, places.run)
    write_known_settings(places, environ, known.has_password)
    trust_company(places.company_authority, places.run)
    keep_cluster(places, now, say)
    keep_revocations(places, now, say)
    own_pair = hold(own_files(places, settings))
    if identity.may_switch:
        hand_over_state(places.state, identity.user)
    identity.become_person()

    is_new = not keep_layout(places.layout)
    if not arguments:
        lock.share(places.state)
        if is_new and (told := tell_new_volumes(places)):
            say(told)

    authority, _ = keep_certificates(places.tls, settings.server_names, now, say)
    keep_own_certificate(places, settings, now, own_pair)
    password = keep_password(places.password_hash, settings.jupyter_password, say)
    for secret in (places.cookie_secret, places.device_secret):
        keep_cookie_secret(secret, say)
    keep_open_logins(places, say)
    keep_pairing(places, now, say)
    write_config(places, settings)
    keep_notify_url(places.notify_url, settings.notify_url)

    alike = misspelt(environ)
    warnings = (
        *([] if arguments else keep_installation(places)),
        *map(str, differences(places)),
        *(f"{name} is no setting, and does nothing.\n  Is {meant} meant?" for name, meant in alike.items()),
    )
    if not arguments:
        status = status_now(places, known, authority, map(str, filter(None, warnings)), now)
        say(message(replace(status, generated_password=password.generated)))
    # Only now and only so, or a start that is killed before its message, or that runs a command instead of showing
    # one, would keep a password that nobody has read.
    if not (arguments and password.generated):
        write_password_hash(places, password)

    # Below a reaper of orphans.
    command = [TINI, "--", *(arguments or [PYTHON, "-I", "-m", "entrypoint.door.server", str(places.config)])]
    os.execvpe(command[0], command, server_environment(environ, places))


def server_environment(environ: Mapping[str, str], places: Places) -> dict[str, str]:
    """Without the settings, which no program that certbot runs need see."""
    own = {*variable_names(), *misspelt(environ)}
    return {
        **{name: value for name, value in environ.items() if name not in own},
        **trusted(places.run),
        "HOME": str(places.state),
        "OPENSSL_CONF": str(OPENSSL_CONFIG),
    }


def say(line: str) -> None:
    print(shown_lines(line), flush=True)


def main() -> None:
    arguments, now = sys.argv[1:], datetime.now(UTC)
    try:
        if arguments in COMMANDS:
            check(Places(), os.environ, now, say)
        else:
            start(os.environ, arguments, now)
    except WorkhorseError as error:
        sys.exit(shown_lines(str(error)))


if __name__ == "__main__":
    main()
