"""What is weak about this installation, each with the line that mends it: `workhorse audit`."""

from __future__ import annotations

import argparse
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from entrypoint.certificates.own import read_judgement
from entrypoint.certificates.serving import PRIVATE
from entrypoint.door.state import is_password_in_log
from entrypoint.files.errors import Problem, WorkhorseError
from entrypoint.files.places import Places
from entrypoint.files.untrusted import read_untrusted, shown_lines
from entrypoint.laptops.pairing import is_on
from entrypoint.laptops.report import ask_for_report as ask_for_sync_report
from entrypoint.login.password import verifies
from entrypoint.login.second_factor import NOBODY_ENROLLED, read_second_factor
from entrypoint.proxy.asking import NoAnswerError
from entrypoint.report.kernels import AbsentKernelsError, absence, ask_for_report
from entrypoint.report.status import START_SYNC, read_report
from entrypoint.settings.known import KnownSettings, read_known_settings
from entrypoint.settings.reader import IN_FILE
from entrypoint.settings.settings import Settings
from entrypoint.system.image import built
from entrypoint.system.kernels_report import KernelsReport
from entrypoint.system.memory import in_gib, machine_bytes

PASSWORD_LENGTH_GOOD = 14
CHOOSE_ANOTHER = (
    "choose another password in .env, then: docker compose up -d   "
    "or in its file, then: docker compose restart workhorse"
)
IMAGE_AGE = timedelta(days=90)
LAPTOP_AWAY = timedelta(days=90)
SHARE_OF_NOTEBOOKS = 7 / 8
ONLY_THE_HASH = "Once started, only its hash is needed, and the password stays the same. In .env:"


def audit(places: Places, arguments: argparse.Namespace) -> int:
    """Prints the findings; exit status 1 if there are any, so that a script can ask.

    Args:
        arguments: `password` is what `.env` gives, as far as it could be read.
    """
    known = read_known_settings(places)
    password = arguments.password if known.has_password else known.settings
    findings = judge(known, places, datetime.now(UTC))
    if password:
        findings = [*judge_password(password, places), *judge_password_file(password, places), *findings]
    for finding in findings:
        print(f"- {shown_lines(str(finding))}\n")
    print(f"{len(findings)} found." if findings else "Nothing weak found.")
    if not password:
        print("The password is not known here, so it was not judged. On the host:")
        print("  docker compose exec workhorse workhorse audit")
    return 1 if findings else 0


def judge(known: KnownSettings, places: Places, now: datetime) -> list[Problem]:
    """All that can be found without the password."""
    settings = known.settings
    return [
        *judge_door(settings, places),
        *judge_secrets(known.has_password, places),
        *judge_image("The door's", built(places.root), now),
        *judge_kernels(settings, places, now),
        *judge_laptops(settings, places, now),
    ]


def judge_password(settings: Settings, places: Places) -> Iterator[Problem]:
    password = settings.jupyter_password
    if password is None:
        if is_password_in_log(places):
            yield Problem(
                "The password is the one that was made up at the first start, and the log may still hold it.",
                "Make up one that the log won't hold: docker compose exec workhorse workhorse reset-password",
            )
        return
    in_env = "in .env: JUPYTER_PASSWORD='...'   then: docker compose up -d"
    where = IN_FILE if settings.jupyter_password_file else in_env
    if len(password) < PASSWORD_LENGTH_GOOD:
        yield Problem(
            f"The password has {len(password)} characters, fewer than {PASSWORD_LENGTH_GOOD}.",
            f"Choose a longer one {where}",
        )
    if len(set(password)) < 6:
        yield Problem("The password repeats a few characters.", f"Choose another {where}")
    if not settings.jupyter_password_file:
        yield Problem(
            "Whoever may use Docker on this machine reads the password with docker inspect.",
            f"{ONLY_THE_HASH} JUPYTER_PASSWORD=''   then: docker compose up -d",
        )


def judge_password_file(settings: Settings, places: Places) -> Iterator[Problem]:
    file, password = settings.jupyter_password_file, settings.jupyter_password
    if file and password and not _is_kept(password, places):
        what = "The password in the file doesn't count yet: the one before does."
        yield Problem(what, "docker compose restart workhorse")


def _is_kept(password: str, places: Places) -> bool:
    try:
        return verifies(read_untrusted(places.password_hash).decode(), password)
    except (OSError, UnicodeDecodeError):
        return False


def judge_door(settings: Settings, places: Places) -> Iterator[Problem]:
    is_public = settings.listen_address.is_unspecified
    trusted = any(served.kind != PRIVATE for served in read_report(places.certificate_report))
    for line in read_judgement(places).lines:
        yield Problem(line, "What is mended in the files, is noticed within a minute; of .env: docker compose up -d")
    if is_public and not trusted:
        yield Problem(
            "It listens on every address without a certificate that browsers trust, so people learn to click on.",
            "Set LETSENCRYPT_EMAIL or CERTIFICATE_FILE, or leave this once each device trusts the authority: "
            "docker compose exec workhorse workhorse share-ca",
        )
    if is_public and not settings.totp:
        yield Problem(
            "It listens on every address with a password as its only lock.",
            "Ask for codes from your phone: docker compose exec workhorse workhorse totp   then in .env: TOTP=on",
        )
    if settings.totp and not read_second_factor(places.second_factor):
        yield NOBODY_ENROLLED


def judge_secrets(has_password: bool, places: Places) -> Iterator[Problem]:
    """Those that are older than the wall: until there was one, every notebook could read them."""
    try:
        # Written before any secret in a new installation, and after all of them in one that was there already.
        wall = places.layout.lstat().st_mtime
    except OSError:
        return
    command = "docker compose exec workhorse workhorse"
    new_password = CHOOSE_ANOTHER if has_password else f"{command} reset-password"
    for file, name, remedy in (
        (places.tls.authority, "the private authority's key", f"{command} new-authority"),
        (places.password_hash, "the password's hash", new_password),
        (places.cookie_secret, "the key of the logins", f"{command} sign-out"),
    ):
        if _is_older(file, wall):
            yield Problem(
                f"Notebooks could read {name} until they were kept apart from it, and it is the same still.",
                f"If you have run what you did not trust: {remedy}",
            )


def _is_older(file: Path, time: float) -> bool:
    try:
        return file.lstat().st_mtime < time
    except OSError:
        return False


def judge_image(name: str, made: datetime | None, now: datetime) -> Iterator[Problem]:
    """Whether one of the two images is so old that holes in its programs have been found since."""
    if made and now - made > IMAGE_AGE:
        yield Problem(
            f"{name} image is {(now - made).days} days old, and so are its programs' mended holes.",
            "Have it anew: git pull && docker compose pull --ignore-buildable "
            "&& docker compose build --pull --no-cache && docker compose up -d",
        )


def judge_kernels(settings: Settings, places: Places, now: datetime) -> Iterator[Problem]:
    """What the kernels' server alone can see."""
    try:
        told = ask_for_report(places)
    except AbsentKernelsError as error:
        problem = absence(error)
        yield Problem(f"{problem.what} So its folder, memory and image could not be judged.", problem.remedy)
        return
    yield from judge_walls(settings, told)
    yield from judge_image("The kernels'", told.image_built, now)
    yield from judge_memory(told.memory_limit, machine_bytes(places.root / "proc/meminfo"))


def judge_laptops(settings: Settings, places: Places, now: datetime) -> Iterator[Problem]:
    """Whether somebody may still come in who has long been away, and whether the server is announced."""
    if not is_on(places):
        return
    if settings.sync_discovery:
        yield Problem(
            "Syncthing's public servers are told where this server is.",
            "If your laptop reaches it without them, in .env: SYNC_DISCOVERY=off   then: docker compose up -d",
        )
    try:
        laptops = ask_for_sync_report(places).laptops
    except (NoAnswerError, WorkhorseError) as error:
        yield Problem(f"Syncthing does not answer, so its laptops could not be judged: {error}.", START_SYNC)
        return
    for laptop in laptops:
        if laptop.last_seen and not laptop.is_connected and now - laptop.last_seen > LAPTOP_AWAY:
            yield Problem(
                f"{laptop.called} was last seen on {laptop.last_seen:%Y-%m-%d}, and may still change every file.",
                f"If it is gone: docker compose exec workhorse workhorse sync forget {laptop.id}",
            )


def judge_walls(settings: Settings, told: KernelsReport) -> Iterator[Problem]:
    if told.folder and told.folder.mode & stat.S_IWOTH:
        yield Problem(
            "Everybody on the host may write into the notebooks' folder, and so run code in your kernels.",
            f"On the host: chmod o-w '{settings.repositories}'",
        )


def judge_memory(limit: int | None, machine: int) -> Iterator[Problem]:
    """Whether the notebooks' limit is one, beside the machine's own; both in bytes, and 0 for a machine not known."""
    if not machine:
        return
    mebibytes = int(machine / 2**20 * SHARE_OF_NOTEBOOKS)
    proposed = f"{mebibytes // 1024}g" if mebibytes >= 8192 else f"{mebibytes}m"
    remedy = f"Leave some of it to other programs, in .env: MEMORY_LIMIT={proposed}"
    if limit is None:
        yield Problem(f"Notebooks may take all of this machine's memory, {in_gib(machine)}.", remedy)
    elif limit >= machine:
        yield Problem(
            f"MEMORY_LIMIT is {in_gib(limit)}, no less than all of this machine's memory, {in_gib(machine)}.", remedy
        )
