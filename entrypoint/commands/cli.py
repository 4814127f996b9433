"""The `workhorse` command: what a person asks of a running server."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, cast

from entrypoint.door import healthcheck
from entrypoint.files.errors import WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown_lines
from entrypoint.settings.known import given_password
from entrypoint.system.privileges import become_owner

DESCRIPTION = """\
Ask Workhorse about itself. On the host, in the folder of docker-compose.yml:
  docker compose exec workhorse workhorse COMMAND"""

CA_HELP = """\
Print the certificate of this server's private authority. A device that trusts it opens every address of the server
without a warning. The authority may vouch for this server's names and local networks only.

  1. On the host:   docker compose exec -T workhorse workhorse ca > workhorse-ca.crt
  2. Compare:       openssl x509 -in workhorse-ca.crt -noout -fingerprint -sha256
                    with the fingerprint that 'workhorse status' shows.
  3. On the device (*: written after the maker's documentation, and not tried):
                    Firefox * Settings > Privacy & Security > View Certificates > Authorities > Import
                    Chrome *  Settings > Privacy and security > Security > Manage certificates > Import
                    macOS *   open the file, then set it to 'Always Trust' in Keychain Access
                    Windows * open the file, Install Certificate, into 'Trusted Root Certification Authorities'
                    Linux     sudo cp workhorse-ca.crt /usr/local/share/ca-certificates/
                              sudo update-ca-certificates

For phones and tablets: docker compose exec workhorse workhorse share-ca
"""

BACKUP_HELP = """\
Write one archive of everything but the notebooks' folder and .env. Kernels may go on running.

  docker compose exec -T workhorse workhorse backup > workhorse-backup.tar.gz

It holds the server's keys and password hash: keep it as safe as those. Caches are left out; of the environments
that pip and conda made, it holds lists of packages. For databases that other programs keep locked it waits five minutes
altogether, then copies those as they lie, and says which.
"""

RESTORE_HELP = """\
Put a backup in the place of what the volumes hold, which is moved to before-restore-1 there; nothing is deleted.
Every device is signed out, and logs in anew with the password of the backup.
The service kernels has to run, and no kernel in it. On a new machine, copy .env and the notebooks' folder too.

  docker compose up -d kernels && docker compose stop workhorse lab
  docker compose run --rm -T workhorse workhorse restore < workhorse-backup.tar.gz && docker compose up -d
"""

TOTP_HELP = """\
Enrol a phone as a second factor: an authenticator app scans the QR code, and shows six digits every 30 seconds that the
login asks for besides the password. Ten recovery codes let you in without the phone, each of them once. Running this
again replaces both. Switch it on with TOTP=on in .env, then: docker compose up -d
"""

NEW_AUTHORITY = "make a new private authority, when the old one may have been stolen or nears its end"

NEW_AUTHORITY_HELP = """\
Make a new private authority; the running server changes over to it at once. Every device has to trust the new one.
Do this when somebody else may have had the volume 'state' or a backup of it, and remove the old authority from every
device: whoever has its key can pretend to be this server towards them.
"""

KERNELS_HELP = """\
List the kernels that run and the terminals in which programs do, the busy ones first. Exit status 1 if one is busy, so
that a line goes on only where none is:

  docker compose exec workhorse workhorse kernels && docker compose stop
"""

SYNC_HELP = """\
Keep the notebooks' folder in step with a laptop, by Syncthing. First, in .env:
COMPOSE_FILE=docker-compose.yml:compose/sync.yml   then: docker compose up -d --build

  workhorse sync                   what the laptop needs; once it is paired, how far both are
  workhorse sync pair DEVICE-ID    accept the laptop that shows this ID, and no other
  workhorse sync forget            undo that; all files stay where they are

docs/sync.md has the steps for macOS, Windows and Linux.
"""

CLUSTER_HELP = """\
List the workers of a cluster, where they are, and what each holds.

  workhorse cluster                         the workers
  workhorse cluster join [USER@]MACHINE     the line that makes another machine work for this cluster
  workhorse cluster remove [USER@]MACHINE   end its workers, and let it in no more

That line asks for 'workhorse cluster bundle', which writes to standard output what the other machine runs. It holds a
key: whoever has it may run code in the cluster, until it ends after 30 days or is removed. See docs/cluster.md.
"""

CHECK_HELP = """\
Judge .env as the next start would. Run it where nothing is replaced by it, on the host:

  docker compose run --rm workhorse check
"""


@dataclass(frozen=True)
class Command:
    """One command: its function is looked up only when it is run, since imports are slow."""

    name: str
    function: str
    summary: str
    description: str = ""
    flags: tuple[tuple[str, str], ...] = ()
    wants_password: bool = False
    # What root alone may do for it, before it becomes whom the state belongs to.
    as_root: str = ""
    # Each may be left out.
    words: tuple[tuple[str, str], ...] = ()


COMMANDS = (
    Command(
        "status",
        "entrypoint.commands.cli:status",
        "where to open it, whom to trust, what runs",
        flags=(("--json", "for other programs, with what audit finds"),),
    ),
    Command("reset-password", "entrypoint.commands.cli:reset_password", "make up a new password and show it"),
    Command("sign-out", "entrypoint.commands.cli:sign_out", "log every device out; kernels run on"),
    Command(
        "totp",
        "entrypoint.login.enrolment:totp",
        "enrol a phone for codes (TOTP=on in .env), with a QR code",
        TOTP_HELP,
    ),
    Command(
        "ca",
        "entrypoint.certificates.commands:ca",
        "print the private authority's certificate, and how to trust it (--help)",
        CA_HELP,
        (("--apple", "as a configuration profile for iPhone, iPad and Mac"),),
    ),
    Command(
        "share-ca",
        "entrypoint.certificates.commands:share_ca",
        "offer the authority's certificate to phones for ten minutes, on a page of its own",
        flags=(("--stop", "offer it no more"),),
    ),
    Command("renew", "entrypoint.certificates.commands:renew", "ask Let's Encrypt now, without waiting"),
    Command("new-authority", "entrypoint.certificates.commands:new_authority", NEW_AUTHORITY, NEW_AUTHORITY_HELP),
    Command(
        "cluster",
        "entrypoint.commands.cluster:run",
        "the workers of a cluster, on this machine and on others (--help)",
        CLUSTER_HELP,
        as_root="entrypoint.commands.cluster:as_root",
        words=(
            ("action", "join, bundle or remove; without it: the workers, and what each holds"),
            ("machine", "the other machine, as ssh knows it"),
        ),
    ),
    Command(
        "audit",
        "entrypoint.report.audit:audit",
        "what is weak about this installation, and how to mend it",
        wants_password=True,
    ),
    Command(
        "backup",
        "entrypoint.commands.backup:run",
        "write everything but notebooks and .env to standard output",
        BACKUP_HELP,
    ),
    Command(
        "restore",
        "entrypoint.commands.restore:run",
        "put a backup into the volumes (--help)",
        RESTORE_HELP,
        (("--replace", "even if the home volume is in use: what is there is moved to before-restore-1"),),
    ),
    Command(
        "kernels",
        "entrypoint.commands.kernels:kernels",
        "what an end of the service kernels would end; exit status 1 if something is busy",
        KERNELS_HELP,
    ),
    Command("notify", "entrypoint.commands.notify:notify", "send a notice by NOTIFY_URL, to try it"),
    Command(
        "sync",
        "entrypoint.laptops.command:run",
        "keep the notebooks in step with a laptop, and how far both are (--help)",
        SYNC_HELP,
        (("--another", "show what another laptop needs"), ("--all", "with forget: every laptop")),
        words=(
            ("action", "pair or forget; without it: how far both are"),
            ("device", "the laptop's device ID"),
            ("name", "what to call it"),
        ),
    ),
    Command("check", "entrypoint.commands.cli:check", "judge .env before it counts (--help)", CHECK_HELP),
    Command(
        "healthcheck", "entrypoint.commands.cli:check_health", "ask the server whether it answers; exit status 1 if not"
    ),
)


def parser() -> argparse.ArgumentParser:
    """The arguments; `command` is the one that was chosen."""
    style = argparse.RawDescriptionHelpFormatter
    top = argparse.ArgumentParser(prog="workhorse", description=DESCRIPTION, formatter_class=style)
    commands = top.add_subparsers(title="commands", required=True, metavar="COMMAND")
    for command in COMMANDS:
        description = command.description or f"{command.summary[0].upper()}{command.summary[1:]}."
        sub = commands.add_parser(command.name, help=command.summary, description=description, formatter_class=style)
        for flag, meaning in command.flags:
            sub.add_argument(flag, action="store_true", help=meaning)
        for word, meaning in command.words:
            sub.add_argument(word, nargs="?", help=meaning)
        sub.set_defaults(command=command)
    return top


def status(places: Places, arguments: argparse.Namespace) -> int:
    if arguments.json:
        from entrypoint.report.as_json import status_as_json

        print(status_as_json(places, datetime.now(UTC)))
        return 0
    from entrypoint.report.message import message
    from entrypoint.report.status import read_status

    print(message(read_status(places, datetime.now(UTC))))
    return 0


def reset_password(places: Places, _: argparse.Namespace) -> int:
    from entrypoint.door.state import replace_password_hash
    from entrypoint.login.password import generate_password, hash_password
    from entrypoint.settings.known import read_known_settings

    if read_known_settings(places).has_password:
        raise WorkhorseError.of(
            "The password stands in .env or the file named there, and what stands there decides.",
            "Change JUPYTER_PASSWORD there, then: docker compose up -d\n"
            "  Or, where JUPYTER_PASSWORD_FILE names a file, change that, then: docker compose restart workhorse",
        )
    password = generate_password()
    replace_password_hash(places, hash_password(password))
    print(f"The new password, shown this once: {password}")
    print("It counts within a second: every device has to log in anew. Kernels run on.")
    return 0


def sign_out(places: Places, _: argparse.Namespace) -> int:
    from entrypoint.door.state import replace_cookie_secret

    replace_cookie_secret(places)
    print("Every device is logged out within a second. Kernels run on.")
    return 0


def check(_: Places, __: argparse.Namespace) -> int:
    raise WorkhorseError.of(
        "This container knows .env as it was when it was made.",
        "To judge it as it is now, on the host: docker compose run --rm workhorse check",
    )


def check_health(places: Places, _: argparse.Namespace) -> int:
    return healthcheck.main(str(places.tls.authority), healthcheck.PORT)


def named(name: str) -> Callable[..., Any]:
    """A function by its module and name, whose import only it waits for."""
    module, _, function = name.partition(":")
    return cast(Callable[..., Any], getattr(import_module(module), function))


def main() -> None:
    arguments = parser().parse_args(sys.argv[1:] or ["--help"])
    places = Places()
    try:
        if arguments.command.wants_password:
            # Its file may be root's alone, and all that follows is done as the state's owner.
            arguments.password = given_password(os.environ)
        if arguments.command.as_root:
            arguments.prepared = named(arguments.command.as_root)(places, arguments, os.environ)
        become_owner(places.state)
        sys.exit(named(arguments.command.function)(places, arguments))
    except BlockingIOError as error:
        # What `docker compose exec` starts has no limit but the container's own.
        sys.exit(
            f"The container's processes are used up ({error.strerror}).\n"
            "  To end all of them, and no kernel: docker compose restart workhorse"
        )
    except WorkhorseError as error:
        sys.exit(shown_lines(str(error)))


if __name__ == "__main__":
    main()
