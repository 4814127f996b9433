"""The `workhorse` command: what a person asks of a running server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from pathlib import Path

from entrypoint import healthcheck
from entrypoint.errors import WorkhorseError
from entrypoint.places import Places

DESCRIPTION = """\
Ask Workhorse about itself. On the host, in the folder of docker-compose.yml:
  docker compose exec workhorse workhorse COMMAND"""

CA_HELP = """\
Print the certificate of this server's private authority. A device that trusts it opens every address of the server
without a warning. The authority may vouch for this server's names and local networks only.

  1. On the host:   docker compose exec -T workhorse workhorse ca > workhorse-ca.pem
  2. Compare:       openssl x509 -in workhorse-ca.pem -noout -fingerprint -sha256
                    with the fingerprint that 'workhorse status' shows.
  3. On the device: Firefox   Settings > Privacy & Security > View Certificates > Authorities > Import
                    Chrome    Settings > Privacy and security > Security > Manage certificates > Import
                    macOS     open the file, then set it to 'Always Trust' in Keychain Access
                    Windows   open the file, Install Certificate, into 'Trusted Root Certification Authorities'
                    Linux     sudo cp workhorse-ca.pem /usr/local/share/ca-certificates/workhorse.crt
                              sudo update-ca-certificates
"""


def parser() -> argparse.ArgumentParser:
    """The arguments; `run` is the function of the command that was chosen."""
    top = argparse.ArgumentParser(
        prog="workhorse", description=DESCRIPTION, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for name, run, summary, description in (
        ("status", status, "where to open it, whom to trust, until when", None),
        ("reset-password", reset_password, "make up a new password and show it", None),
        ("ca", ca, "print the private authority's certificate, and how to trust it (--help)", CA_HELP),
        ("healthcheck", check_health, "ask the running server whether it answers; exit status 1 if not", None),
    ):
        command = commands.add_parser(
            name,
            help=summary,
            description=description or summary[0].upper() + summary[1:] + ".",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=run)
    return top


def status(places: Places) -> int:
    from entrypoint.message import message
    from entrypoint.status import read_status

    print(message(read_status(places, os.environ)), end="")
    return 0


def reset_password(places: Places) -> int:
    from entrypoint.password import generate_password, hash_password
    from entrypoint.settings import from_environ
    from entrypoint.state import replace_password_hash

    if from_environ(os.environ).jupyter_password is not None:
        raise WorkhorseError.of(
            "The password stands in .env, and what stands there decides.",
            "Change JUPYTER_PASSWORD there (or the file that JUPYTER_PASSWORD_FILE names): docker compose up -d",
        )
    password = generate_password()
    replace_password_hash(places, hash_password(password))
    print(f"The new password, shown this once: {password}")
    print("It counts from the next start, which ends running kernels: docker compose restart")
    return 0


def ca(places: Places) -> int:
    from entrypoint.authority import load_authority

    authority = load_authority(_read(places.tls.authority))
    print(authority.certificate_pem.decode(), end="")
    return 0


def check_health(places: Places) -> int:
    from entrypoint.server_config import PORT

    return healthcheck.main(str(places.tls.authority), PORT)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise WorkhorseError.of(
            f"{path} can't be read: {error.strerror}.", "Start the server first: docker compose up -d"
        ) from error


def main() -> None:
    run: Callable[[Places], int] = parser().parse_args().run
    try:
        sys.exit(run(Places()))
    except WorkhorseError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
