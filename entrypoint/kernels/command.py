"""`workhorse` where notebooks run: what can be asked here, and the line for the host for the rest."""

from __future__ import annotations

import http.client
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from entrypoint.files.places import Places
from entrypoint.files.untrusted import shown_lines
from entrypoint.home.folder import host_folder_of
from entrypoint.home.person import person_environment
from entrypoint.kernels.own_socket import connected
from entrypoint.system.cards import card_lines
from entrypoint.system.folder import another_folder, reason_nothing_is_saved
from entrypoint.system.identity import person_identity
from entrypoint.system.kernels_report import BYTES_MAX, PATH, KernelsReport, judged, kernel_lines

SECONDS = 15.0
INDENT = " " * 16
ON_THE_HOST = "docker compose exec workhorse workhorse"
# What the door answers, which holds the keys and the password that no notebook reaches.
AT_THE_DOOR = (
    ("status", "where to open it, whom to trust, until when"),
    ("kernels", "what an end of the service kernels would end"),
    ("reset-password", "make up a new password and show it"),
    ("sign-out", "log every device out; kernels run on"),
    ("totp", "enrol a phone for codes"),
    ("share-ca", "offer the authority's certificate to phones for ten minutes"),
    ("renew", "ask Let's Encrypt now, without waiting"),
    ("new-authority", "make a new private authority"),
    ("notify", "send a notice by NOTIFY_URL, to try it"),
    ("sync", "keep the notebooks in step with a laptop, and how far both are"),
    ("cluster", "the workers of a cluster, and what each holds"),
    ("audit", "what is weak about this installation, and how to mend it"),
)
# These want a line of their own.
LINES = {
    "ca": "docker compose exec -T workhorse workhorse ca > workhorse-ca.crt",
    "backup": "docker compose exec -T workhorse workhorse backup > workhorse-backup.tar.gz",
    "restore": "docker compose run --rm -T workhorse workhorse restore < workhorse-backup.tar.gz",
    "check": "docker compose run --rm workhorse check",
}


class NoAnswerError(Exception):
    """Why nobody answers, as the end of a sentence."""


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 for what can't be asked here."""
    places, command = Places(), next((each for each in arguments if not each.startswith("-")), "")
    # What lies in the folders, and who listens on the socket, is of people's making.
    person_identity(places).become_person()
    if command == "kernel":
        from entrypoint.kernels import project  # a slow import, which no other command waits for

        return project.main([each for each in arguments if each != command], places.home, environment_of(places))
    if command == "run":
        from entrypoint.kernels import run  # slow too

        return run.main([each for each in arguments if each != command], places, environment_of(places))
    if command == "extension":
        from entrypoint.kernels import extensions  # as slow

        return extensions.main([each for each in arguments if each != command], places, environment_of(places))
    if command == "status":
        print(shown_lines("\n".join(status(places))))
        return 0
    if command:
        print(shown_lines("\n".join(elsewhere(command, arguments))))
        return 1
    print("\n".join(help_lines()))
    return 0


def environment_of(places: Places) -> dict[str, str]:
    """A terminal has it already, and root's `docker compose exec` has not."""
    return person_environment(os.environ, places)


def status(places: Places) -> Iterator[str]:
    """What the kernels' server knows by itself."""
    try:
        told = judged(ask(places.kernels_socket))
    except (NoAnswerError, ValueError) as error:
        yield f"  Notebooks     {host_folder_of(places)} on the host"
        yield f"  Kernels       not known: {error}"
    else:
        yield from _told_lines(told)
    yield ""
    yield f"Where to open it, and whom to trust, on the host: {ON_THE_HOST} status"


def _told_lines(told: KernelsReport) -> Iterator[str]:
    yield f"  Notebooks     {told.repositories} on the host"
    first, *rest = kernel_lines(told.kernels)
    yield f"  Kernels       {first}"
    yield from (f"{INDENT}{line}" for line in rest)
    for number, card in enumerate(card_lines(told.cards)):
        yield f"  {'' if number else 'Cards':12}  {card}"
    for warning in _warnings(told):
        yield ""
        yield from (f"  {line}" for line in warning.splitlines())


def _warnings(told: KernelsReport) -> Iterator[str]:
    if told.folder is None:
        yield "The disk of the notebooks' folder does not answer."
    else:
        yield from filter(None, [reason_nothing_is_saved(told.folder, told.repositories)])
        if told.folder.is_another:
            yield str(another_folder(told.repositories))
    yield from told.home


def elsewhere(command: str, arguments: Sequence[str]) -> Iterator[str]:
    """Where a command can be asked."""
    yield f"'{command}' can't be asked in here, where notebooks run. On the host, in the folder of docker-compose.yml:"
    yield f"  {LINES.get(command) or ' '.join([ON_THE_HOST, *arguments])}"


def help_lines() -> Iterator[str]:
    yield "Ask Workhorse about itself. In here:"
    yield "  workhorse status            the notebooks' folder, and the kernels that run"
    yield "  workhorse kernel [FOLDER]   make a kernel for the project in this folder, or in another, by its"
    yield "                              environment.yml, uv.lock, requirements.txt or pyproject.toml"
    yield "  workhorse extension         install what has a half in JupyterLab's server, such as jupyterlab-git"
    yield "  workhorse run NOTEBOOK      run a notebook without a page; what comes out goes into a copy beside it"
    yield ""
    yield "On the host, in the folder of docker-compose.yml:"
    for name, meaning in AT_THE_DOOR:
        yield f"  {ON_THE_HOST} {name:15} {meaning}"
    for line in LINES.values():
        yield f"  {line}"
    yield f"  {ON_THE_HOST} --help"


def ask(path: Path) -> object:
    """What the server answers on its socket.

    Raises:
        NoAnswerError: Why it doesn't.
    """
    asking = http.client.HTTPConnection("localhost", timeout=SECONDS)
    try:
        asking.sock = connected(path, SECONDS)
        asking.request("GET", PATH)
        answer = asking.getresponse()
        if answer.status != http.client.OK:
            raise NoAnswerError(f"JupyterLab answers with status {answer.status}.")
        content: object = json.loads(answer.read(BYTES_MAX))
        return content
    except FileNotFoundError:
        raise NoAnswerError("JupyterLab has no door here, or has not started.") from None
    except (OSError, http.client.HTTPException, ValueError, RecursionError) as error:
        raise NoAnswerError(f"JupyterLab does not answer ({error}).") from error
    finally:
        asking.close()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
