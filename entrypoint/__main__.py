"""The start of Workhorse, from the environment to the running server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from entrypoint.certificates.keeping import keep_certificates
from entrypoint.certificates.own import hold, keep_own_certificate, own_files
from entrypoint.commands.check import COMMANDS, check
from entrypoint.door.state import (
    keep_cookie_secret,
    keep_layout,
    keep_password,
    write_config,
    write_password_hash,
)
from entrypoint.files import lock
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown_lines
from entrypoint.home.home import judge_home, prepare_venv
from entrypoint.home.person import person_environment
from entrypoint.login.password_file import password_exposure
from entrypoint.report.installation import find_installation, keep_installation, tell_new_volumes
from entrypoint.report.message import message
from entrypoint.report.status import status_now
from entrypoint.settings.known import KnownSettings, write_known_settings
from entrypoint.settings.settings import from_environ, misspelt
from entrypoint.system.handover import adopt_folder, hand_over_home, hand_over_run, hand_over_state, is_open_to
from entrypoint.system.identity import current_identity, reason_not_writable, write_accounts
from entrypoint.system.trust import trust_company

PYTHON, TINI = "/opt/server/bin/python", "/usr/bin/tini"
OPENSSL_CONFIG = Path(__file__).parent / "certificates" / "openssl.cnf"


def start(environ: Mapping[str, str], arguments: list[str], now: datetime) -> None:
    """Prepares everything and becomes the server, or the command that was asked for instead."""
    places = Places()
    settings = from_environ(environ)
    known = KnownSettings(settings, settings.jupyter_password is not None)

    # As root, where the container starts as root: what only root may read or give away. Below the tops of the volumes,
    # where people's code can put anything, only an earlier user's files change hands.
    identity = current_identity(places)
    hand_over_run(places.run, identity, places.server_run)
    write_accounts(identity.user, places.home, places.run)
    write_known_settings(places, environ, known.has_password)
    trust_company(places.company_authority, places.run)
    own_pair = hold(own_files(places, settings))
    if identity.may_switch:
        adopt_folder(places.repositories, identity, settings.repositories, say)
        hand_over_home(places.home, identity.user)
        # Beside another person's home lies that person's state.
        if is_open_to(places.home, identity.user):
            hand_over_state(places.state, identity.user)
    identity.become_person()

    # As the person, who can do no more harm here than in a notebook.
    judge_home(places.home, identity.user)
    is_new = not keep_layout(places.layout)
    if not arguments:
        lock.share(places.state)
        if is_new and (told := tell_new_volumes(find_installation(places).clone)):
            say(told)

    authority, _ = keep_certificates(places.tls, settings.server_names, now, say)
    keep_own_certificate(places, settings, now, own_pair)
    password = keep_password(places.password_hash, settings.jupyter_password, say)
    for secret in (places.cookie_secret, places.device_secret):
        keep_cookie_secret(secret, say)
    write_config(places, settings, password.text, say)

    alike = misspelt(environ)
    environment = server_environment(environ, alike, places)
    warnings = (
        prepare_venv(places.home, environment),
        reason_not_writable(places.repositories, identity.user, settings.repositories),
        password_exposure(settings, identity),
        *([] if arguments else keep_installation(places, settings.repositories)),
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
    command = [TINI, "--", *(arguments or [PYTHON, "-I", "-m", "entrypoint.lab.server", str(places.config)])]
    os.execvpe(command[0], command, environment)


def server_environment(environ: Mapping[str, str], alike: Iterable[str], places: Places) -> dict[str, str]:
    """The person's, and what only the server reads of it."""
    return {
        **person_environment(environ, alike, places),
        "JUPYTER_RUNTIME_DIR": str(places.connections),
        # Read by the server's OpenSSL alone, which takes it out of what kernels inherit.
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
