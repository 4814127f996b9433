"""The start of Workhorse, from the environment to the running server."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from entrypoint import lock
from entrypoint.errors import WorkhorseError
from entrypoint.home import prepare_home, prepare_venv
from entrypoint.identity import NAME, Identity, adopt_folder, find_identity, reason_not_writable, write_accounts
from entrypoint.known_settings import KnownSettings, write_known_settings
from entrypoint.message import message
from entrypoint.own_certificate import keep_own_certificate
from entrypoint.password_file import password_exposure
from entrypoint.places import Places
from entrypoint.private_files import Owner
from entrypoint.settings import from_environ, misspelt, variable_names
from entrypoint.state import (
    keep_cookie_secret,
    keep_layout,
    keep_password,
    prepare_state,
    write_config,
    write_password_hash,
)
from entrypoint.status import status_now
from entrypoint.tls import keep_certificates
from entrypoint.trust import trust_company

PYTHON = "/opt/server/bin/python"
OPENSSL_CONFIG = Path(__file__).with_name("openssl.cnf")


def start(environ: Mapping[str, str], arguments: list[str], process: Owner, now: datetime) -> None:
    """Prepares everything and becomes the server, or the command that was asked for instead."""
    places = Places()
    settings = from_environ(environ)

    identity = find_identity(process, places.repositories, Path("/proc/self/uid_map").read_text())
    write_accounts(identity.user, places.home, places.run)
    known = KnownSettings(settings, settings.jupyter_password is not None)
    write_known_settings(places, environ, known.has_password)
    adopt_folder(places.repositories, identity, settings.repositories, say)
    prepare_state(places.state, identity.owner)
    keep_layout(places.layout, identity.owner)
    if not arguments:
        lock.share(places.state)
    prepare_home(places.home, identity)

    authority, _ = keep_certificates(places.tls, settings.server_names, now, identity.owner, say)
    keep_own_certificate(places, settings, now, identity.owner)
    password = keep_password(places.password_hash, settings.jupyter_password, say)
    for secret in (places.cookie_secret, places.device_secret):
        keep_cookie_secret(secret, identity.owner, say)
    write_config(places, settings, password.text, identity.owner, say)

    alike = misspelt(environ)
    environment = server_environment(environ, alike, places, trust_company(places.company_authority, places.run))
    warnings = (
        prepare_venv(places.home, identity, environment),
        reason_not_writable(places.repositories, identity.user, settings.repositories),
        password_exposure(settings, identity),
        *(f"{name} is no setting, and does nothing.\n  Is {meant} meant?" for name, meant in alike.items()),
    )
    if not arguments:
        status = status_now(places, known, authority, map(str, filter(None, warnings)), now)
        say(message(replace(status, generated_password=password.generated)))
    # Only now and only so, or a start that is killed before its message, or that runs a command instead of showing
    # one, would keep a password that nobody has read.
    if not (arguments and password.generated):
        write_password_hash(places, password, identity.owner)

    become(identity, arguments or [PYTHON, "-I", "-m", "entrypoint.server", str(places.config)], environment)


def server_environment(
    environ: Mapping[str, str], alike: Iterable[str], places: Places, trust: Mapping[str, str]
) -> dict[str, str]:
    """What the server and every kernel inherit: none of Workhorse's settings, nor what is named alike."""
    own = {*variable_names(), *alike}
    return {
        **{name: value for name, value in environ.items() if name not in own},
        **trust,
        "HOME": str(places.home),
        "USER": NAME,
        "LOGNAME": NAME,
        "JUPYTER_RUNTIME_DIR": "/tmp/jupyter",
        # Read by the server's OpenSSL alone, which takes it out of what kernels inherit.
        "OPENSSL_CONF": str(OPENSSL_CONFIG),
    }


def become(identity: Identity, command: list[str], environment: Mapping[str, str]) -> None:
    """Replaces this process by the command, below a reaper of orphans, with no rights but the user's own."""
    # setpriv changes groups before the user, and drops the bounding set while it still may. A user namespace may
    # forbid to change groups (user_namespaces(7)), and its root has none that are worth dropping.
    groups = "--clear-groups" if identity.switches else "--keep-groups"
    user, group = f"--reuid={identity.user.uid}", f"--regid={identity.user.gid}"
    drop = ["setpriv", user, group, groups, "--bounding-set=-all", "--inh-caps=-all", "--"]
    argv = [*(drop if identity.may_switch else []), "tini", "--", *command]
    os.execvpe(argv[0], argv, environment)


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    process = Owner(os.getuid(), os.getgid())
    try:
        start(os.environ, sys.argv[1:], process, datetime.now(UTC))
    except WorkhorseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
