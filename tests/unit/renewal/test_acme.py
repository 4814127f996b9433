"""What certbot is asked, what its failures come to, and when it is asked again."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entrypoint.certificates.served import read_pair
from entrypoint.files.lock import alone
from entrypoint.files.places import TlsFolder
from entrypoint.files.private import forget
from entrypoint.renewal.acme import BACKOFF_LONGEST, Acme, AcmeError, backoff, certbot_arguments, next_look, obtain
from entrypoint.renewal.attempts import Attempt, write_attempts
from entrypoint.renewal.causes import LENGTH_MAX, STAGING, explain, explain_hook
from entrypoint.renewal.lineage import PARTS, Lineage
from entrypoint.renewal.public import PublicCertificates, is_urgent
from entrypoint.settings.names import ServerName
from tests.pki import Pair, University

NOW = datetime(2026, 11, 25, 2, tzinfo=UTC)
SERVER = "https://ca.example.org/acme/directory"
NAME = "lab.example.org"
FORGOTTEN, MOMENT_SECONDS = 100, 0.00001

# As certbot 5.8 wrote them, without the lines that are the same in all.
FAILED = "Certbot failed to authenticate some domains (authenticator: {}). The Certificate Authority reported these "
UNREACHED = """problems:
  Identifier: lab.example.org
  Type:   connection
  Detail: Get "http://lab.example.org:8880/.well-known/acme-challenge/o-_A": dial tcp 198.18.0.9:8880: no route to host

Hint: The Certificate Authority failed to download the challenge files from the temporary standalone webserver.
Some challenges have failed."""
NO_RECORD = """problems:
  Identifier: lab.example.org
  Type:   unauthorized
  Detail: No TXT records found for DNS challenge
"""
HOOK = """Hook '--manual-{0}-hook' for lab.example.org reported error code 3
Hook '--manual-{0}-hook' for lab.example.org ran with error output:
 The API key has expired.
"""
PORT = """Could not bind TCP port 8880 because it is already in use by another process on this system.
Ask for help or search for solutions at https://community.letsencrypt.org."""
LIMIT = """Requesting a certificate for lab.example.org
An unexpected error occurred:
too many certificates (5) already issued for this exact set of identifiers in the last 168h0m0s
urn:ietf:params:acme:error:rateLimited"""
UNEXPECTED = "Saving debug log to /x/letsencrypt.log\nAn unexpected error occurred:\n{}\nAsk for help or search"
POOL = "HTTPSConnectionPool(host='ca.example.org', port=443): Max retries exceeded with url: /dir (Caused by {})"
NO_NAME = POOL.format(
    "NameResolutionError(\"HTTPSConnection(host='ca.example.org', port=443): Failed to resolve 'ca.example.org' "
    '([Errno -2] Name or service not known)")'
)
REFUSED = POOL.format(
    "NewConnectionError(\"HTTPSConnection(host='ca.example.org', port=443): Failed to establish a new connection: "
    '[Errno 111] Connection refused")'
)
UNTRUSTED = POOL.format(
    "SSLError(SSLCertVerificationError(1, '[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: "
    "Missing Authority Key Identifier (_ssl.c:1029)'))"
)
PLAIN = POOL.format("SSLError(SSLError(1, '[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1029)'))")
SILENT = "HTTPSConnectionPool(host='ca.example.org', port=443): Read timed out. (read timeout=45)"
FORBIDDEN = 'Order included an identifier for which issuance is forbidden by policy: "lab.example.org"'
ACCOUNT = "Account https://ca.example.org/my-account/6b9632c9001baa05 not found."
BINDING = (
    "Unable to register an account with ACME server. Server requires external account binding. Please use --eab-kid "
    "and --eab-hmac-key."
)
EMAIL = (
    "Unable to register an account with ACME server. The ACME server believes ada@example is an invalid email address. "
    "Please ensure it is a valid email and attempt registration again."
)

CAUSES = {
    "unreached": (
        FAILED + UNREACHED,
        'Get "http://lab.example.org:8880/...": dial tcp 198.18.0.9:8880: no route to host. That name has to',
        "COMPOSE_FILE=docker-compose.yml:compose/letsencrypt.yml",
    ),
    "port": (PORT, "Could not bind TCP port 8880. Workhorse needs that port", "restart workhorse"),
    "limit": (LIMIT, "too many certificates (5) already issued", "Workhorse waits"),
    "no name": (
        UNEXPECTED.format(f"requests.exceptions.ConnectionError: {NO_NAME}"),
        f"Failed to resolve 'ca.example.org' ([Errno -2] Name or service not known). So {SERVER} can't be reached",
        "Workhorse tries again",
    ),
    "refused": (
        UNEXPECTED.format(f"requests.exceptions.ConnectionError: {REFUSED}"),
        f"Failed to establish a new connection: [Errno 111] Connection refused. So {SERVER} can't be reached",
        "Workhorse tries again",
    ),
    "silent": (
        UNEXPECTED.format(f"requests.exceptions.ReadTimeout: {SILENT}"),
        f"Read timed out. (read timeout=45). So {SERVER} can't be reached",
        "Workhorse tries again",
    ),
    "untrusted": (
        UNEXPECTED.format(f"requests.exceptions.SSLError: {UNTRUSTED}"),
        f"Missing Authority Key Identifier. So {SERVER} is not trusted",
        "ACME_CA_FILE",
    ),
    "not TLS": (
        UNEXPECTED.format(f"requests.exceptions.SSLError: {PLAIN}"),
        f"wrong version number. No ACME server answers at {SERVER}",
        "ACME_SERVER has to be",
    ),
    "not a directory": (
        UNEXPECTED.format("acme.errors.ClientError: <Response [404]>"),
        f"The answer was HTTP status 404. No ACME server answers at {SERVER}",
        "ACME_SERVER has to be",
    ),
    "forbidden": (
        UNEXPECTED.format(FORBIDDEN) + "\nurn:ietf:params:acme:error:rejectedIdentifier",
        FORBIDDEN,
        "private authority's certificate goes on",
    ),
    "account": (
        UNEXPECTED.format(ACCOUNT) + "\nurn:ietf:params:acme:error:accountDoesNotExist",
        ACCOUNT,
        "the next attempt registers a new one",
    ),
    "binding": (BINDING, BINDING, "choose another ACME_SERVER"),
    "e-mail": (EMAIL, EMAIL, "LETSENCRYPT_EMAIL=ada@example.org"),
}


@pytest.mark.parametrize("cause", CAUSES)
def test_a_known_cause_becomes_a_sentence_and_a_remedy(cause: str) -> None:
    output, begins, holds = CAUSES[cause]
    explained = explain(output, SERVER, has_hook=False)
    assert explained.startswith(begins)
    assert holds in explained
    assert "\n" not in explained


def test_an_unknown_cause_is_quoted() -> None:
    assert explain(UNEXPECTED.format("ValueError: Unable to load PEM file."), "", False) == "Unable to load PEM file"
    assert explain("Saving debug log to /x\nSomething new.", "", False) == "Something new"
    assert explain("", "", False) == "certbot gave no reason"


def test_a_limit_of_lets_encrypt_names_its_server_for_trials() -> None:
    assert f"ACME_SERVER={STAGING}" in explain(LIMIT, "", False)
    assert STAGING not in explain(LIMIT, SERVER, False)
    assert "So Let's Encrypt can't be reached" in explain(UNEXPECTED.format(f"X: {REFUSED}"), "", False)


def test_a_script_that_failed_is_quoted_and_one_that_did_nothing_is_told_what_is_missing() -> None:
    failed = explain(HOOK.format("auth") + FAILED + NO_RECORD + HOOK.format("cleanup"), "", True)
    assert failed == "ACME_DNS_HOOK says: The API key has expired. Mend that script; it runs in the container"
    for output in (FAILED + NO_RECORD, FAILED + NO_RECORD + HOOK.format("cleanup")):
        explained = explain(output, "", True)
        assert explained.startswith("No TXT records found for DNS challenge. ACME_DNS_HOOK has to set that record")


@given(st.text())
def test_whatever_certbot_says_becomes_one_line(output: str) -> None:
    explained = explain(output, SERVER, True)
    assert 0 < len(explained) < 2 * LENGTH_MAX


def test_a_script_is_judged_before_it_is_run(tmp_path: Path) -> None:
    hook = tmp_path / "the dns's.sh"
    assert "is not in the folder" in (explain_hook(hook) or "")
    hook.touch(0o644)
    assert """chmod +x 'the dns'"'"'s.sh'""" in (explain_hook(hook) or "")
    hook.chmod(0o755)
    assert explain_hook(hook) is None


def test_a_missing_script_ends_the_attempt_before_anyone_is_asked(tmp_path: Path) -> None:
    acme = Acme("ada@example.org", tmp_path / "certbot", dns_hook=tmp_path / "dns.sh")
    with pytest.raises(AcmeError, match="not in the folder"):
        asyncio.run(obtain(acme, NAME))
    assert not acme.folder.exists()


def test_certbot_is_asked_for_one_name_without_questions() -> None:
    acme = Acme("ada@example.org", Path("/state/certbot"))
    arguments = certbot_arguments(acme, NAME)
    assert arguments[0] == "certonly"
    assert {"--non-interactive", "--agree-tos", "--keep-until-expiring", "--standalone"} <= set(arguments)
    for flag, value in {"--domains": NAME, "--cert-name": NAME, "--http-01-port": "8880"}.items():
        assert arguments[arguments.index(flag) + 1] == value
    assert "--server" not in arguments


def test_a_script_with_any_name_is_one_word_for_the_shell() -> None:
    acme = Acme("ada@example.org", Path("/state/certbot"), dns_hook=Path("/certificates/the dns's $(x).sh"))
    arguments = certbot_arguments(acme, NAME)
    hook = arguments[arguments.index("--manual-auth-hook") + 1]
    assert hook == """'/certificates/the dns'"'"'s $(x).sh' auth"""
    assert "--standalone" not in arguments


def test_each_server_has_a_folder_of_its_own() -> None:
    acme = Acme("ada@example.org", Path("/state/certbot"))
    servers = ("", STAGING, SERVER, "https://ca.example.org:9000/acme/directory")
    homes = [replace(acme, server=server).home for server in servers]
    assert len(set(homes)) == len(servers)
    assert homes[0] == Path("/state/certbot/letsencrypt")
    assert all(home.parent == acme.folder for home in homes)


def test_failures_wait_longer_each_time_and_never_more_than_a_day() -> None:
    minutes = [backoff(failures) / timedelta(minutes=1) for failures in range(1, 6)]
    assert minutes == [5, 10, 20, 40, 80]
    assert backoff(20) == backoff(10_000) == BACKOFF_LONGEST


def test_no_hour_sees_more_attempts_than_lets_encrypt_allows() -> None:
    times = [timedelta()]
    for failures in range(1, 12):
        times.append(times[-1] + backoff(failures))
    assert max(sum(begin <= each < begin + timedelta(hours=1) for each in times) for begin in times) <= 5


@pytest.mark.parametrize(
    ("left", "often"),
    [
        (timedelta(days=60), timedelta(hours=12)),
        (timedelta(hours=36), timedelta(hours=6)),
        (timedelta(seconds=60), timedelta(seconds=10)),
        (timedelta(seconds=-60), timedelta(seconds=1)),
    ],
)
def test_certbot_is_asked_twice_a_day_and_more_often_for_short_lives(left: timedelta, often: timedelta) -> None:
    assert next_look(NOW + left, NOW, 0) == NOW + 0.9 * often
    assert next_look(NOW + left, NOW, 1) == NOW + 1.1 * often


def test_an_attempt_is_due_at_its_time_and_after_the_clock_was_wrong() -> None:
    assert Attempt().is_due(NOW)
    failed = Attempt().failed(NOW, "why")
    assert failed == Attempt("2026-11-25T02:05:00+00:00", 1, "why")
    assert not failed.is_due(NOW)
    assert failed.is_due(NOW + timedelta(minutes=5))
    assert failed.is_due(NOW - timedelta(days=300))


@pytest.fixture
def certificates(tmp_path: Path) -> PublicCertificates:
    acme = Acme("ada@example.org", tmp_path / "certbot", dns_hook=tmp_path / "missing.sh")
    return PublicCertificates(acme, TlsFolder(tmp_path), [ServerName(NAME)], lambda _: None, lambda _: None)


def test_a_failed_attempt_is_kept_for_the_next_start(certificates: PublicCertificates) -> None:
    said: list[str] = []
    certificates.warn = said.append
    asyncio.run(certificates.renew(lambda: NOW))
    kept = certificates.attempts()[NAME]
    assert (kept.failures, kept.time) == (1, NOW + timedelta(minutes=5))
    for _ in range(3):
        asyncio.run(certificates.renew(lambda: NOW + timedelta(minutes=4)))
    assert certificates.attempts() == {NAME: kept}
    assert len(said) == 1
    asyncio.run(certificates.renew(lambda: NOW + timedelta(minutes=5)))
    assert certificates.attempts()[NAME].failures == 2
    # The same cause is not told again.
    assert len(said) == 1


def test_the_same_refusal_at_another_time_is_no_news(certificates: PublicCertificates) -> None:
    said: list[str] = []
    certificates.warn, times = said.append, iter(["08:00:00", "09:30:00"])

    async def refuse(*_: object) -> None:
        raise AcmeError(f"too many certificates, retry after 2026-11-26 {next(times)} UTC")

    certificates.ask = refuse
    for minutes in (0, 5):
        asyncio.run(certificates.renew(lambda minutes=minutes: NOW + timedelta(minutes=minutes)))  # type: ignore[misc]
    assert len(said) == 1
    assert certificates.attempts()[NAME].reason.endswith("09:30:00 UTC")


def put(lineage: Lineage, pair: Pair) -> None:
    """As certbot leaves a certificate, as far as reading goes."""
    live = lineage.home / "live" / lineage.name
    live.mkdir(parents=True, exist_ok=True)
    (live / "fullchain.pem").write_bytes(pair.chain_pem)
    (live / "privkey.pem").write_bytes(pair.key_pem())


def test_each_failure_is_an_error_when_the_certificate_s_end_is_near(certificates: PublicCertificates) -> None:
    warned: list[str] = []
    alarmed: list[str] = []
    certificates.warn, certificates.alarm = warned.append, alarmed.append
    put(certificates.acme.lineage(NAME), University(NOW).issue([NAME], from_day=-84, to_day=6))
    certificates.install(NOW)
    for minutes in (0, 5):
        asyncio.run(certificates.renew(lambda minutes=minutes: NOW + timedelta(minutes=minutes)))  # type: ignore[misc]
    assert warned == []
    assert [f"No new certificate for {NAME}, and the last one ends on 2026-12-01 02:00 UTC: " in line
            for line in alarmed] == [True, True]  # fmt: skip


def test_a_short_life_is_urgent_in_its_last_tenth() -> None:
    pair = University(NOW).issue([NAME], from_day=-1, to_day=0)
    certificate = read_pair(pair.chain_pem, pair.key_pem())
    assert not is_urgent(certificate, NOW - timedelta(hours=3))
    assert is_urgent(certificate, NOW - timedelta(hours=2))


def test_an_ended_certificate_of_an_earlier_time_replaces_none_that_serves(certificates: PublicCertificates) -> None:
    sound = University(NOW).issue([NAME])
    served = certificates.folder.public(NAME)
    served.write_bytes(sound.key_pem() + sound.chain_pem)
    put(certificates.acme.lineage(NAME), University(NOW).issue([NAME], from_day=-9, to_day=-1))
    certificates.install(NOW)
    assert served.read_bytes() == sound.key_pem() + sound.chain_pem
    put(certificates.acme.lineage(NAME), University(NOW).issue([NAME]))
    certificates.install(NOW)
    assert served.read_bytes() != sound.key_pem() + sound.chain_pem


def test_an_attempt_that_is_cut_short_counts_as_failed(certificates: PublicCertificates) -> None:
    async def end(*_: object) -> None:
        raise SystemExit

    certificates.ask = end
    with pytest.raises(SystemExit):
        asyncio.run(certificates.renew(lambda: NOW))
    kept = certificates.attempts()[NAME]
    assert kept.reason == "The attempt of 02:00 UTC is under way, or was cut short"
    assert not kept.is_due(NOW + timedelta(minutes=4))


def test_to_renew_while_an_attempt_is_under_way_counts(certificates: PublicCertificates) -> None:
    async def fail(*_: object) -> None:
        certificates.folder.attempts.unlink()
        raise AcmeError("why")

    certificates.ask = fail
    asyncio.run(certificates.renew(lambda: NOW))
    assert certificates.attempts() == {}


def test_a_success_that_leaves_nothing_waits_like_a_failure(certificates: PublicCertificates) -> None:
    async def succeed(*_: object) -> None:
        pass

    certificates.ask = succeed
    asyncio.run(certificates.renew(lambda: NOW))
    kept = certificates.attempts()[NAME]
    assert kept.time == NOW + timedelta(minutes=5)
    assert kept.reason == "The new certificate can't serve: certbot has left none that can be read"


def test_what_is_forgotten_meanwhile_stays_forgotten(certificates: PublicCertificates) -> None:
    path, other = certificates.folder.attempts, Attempt((NOW + timedelta(hours=12)).isoformat())
    with ThreadPoolExecutor(1) as executor:
        for number in range(FORGOTTEN):
            write_attempts(path, certificates.acme, {NAME: other})
            keeping = executor.submit(certificates._keep, f"{number}.example.org", other)
            # At whatever moment of it.
            time.sleep(number * MOMENT_SECONDS)
            with alone(certificates.folder.path):
                forget(path)
            keeping.result()
            assert NAME not in certificates.attempts()


def test_an_attempt_that_is_forgotten_while_it_is_under_way_is_not_kept(certificates: PublicCertificates) -> None:
    async def forgotten(acme: Acme, name: str) -> None:
        forget(certificates.folder.attempts)
        raise AcmeError("no route")

    certificates.ask = forgotten
    asyncio.run(certificates.renew(lambda: NOW))
    assert certificates.attempts() == {}


def test_a_folder_in_the_place_of_the_attempts_is_kept_aside_and_told(certificates: PublicCertificates) -> None:
    said: list[str] = []
    certificates.warn = said.append
    certificates.folder.attempts.mkdir()
    asyncio.run(certificates.renew(lambda: NOW))
    assert "attempts.json.set-aside-1" in said[0]
    assert certificates.attempts()[NAME].failures == 1


def test_a_changed_setting_forgets_the_attempts(certificates: PublicCertificates) -> None:
    asyncio.run(certificates.renew(lambda: NOW))
    for change in ({"server": SERVER}, {"email": "grace@example.org"}, {"dns_hook": None}):
        other = replace(certificates.acme, **change)
        again = PublicCertificates(other, certificates.folder, certificates.names, print, print)
        assert again.attempts() == {}


def damaged(**change: object) -> Callable[[str], str]:
    def damage(text: str) -> str:
        kept = json.loads(text)
        kept["names"][NAME].update(change)
        return json.dumps(kept)

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[: len(text) // 2],
        lambda _: "",
        lambda _: "[]",
        lambda _: '{"settings": null}',
        lambda text: text.replace("failures", "other"),
        damaged(next="tomorrow"),
        damaged(next=5),
        damaged(failures="many"),
        damaged(failures=None),
        damaged(more=1),
    ],
)
def test_damaged_attempts_count_as_none(certificates: PublicCertificates, damage: Callable[[str], str]) -> None:
    asyncio.run(certificates.renew(lambda: NOW))
    file = certificates.folder.attempts
    file.write_text(damage(file.read_text()))
    assert certificates.attempts() == {}
    asyncio.run(certificates.renew(lambda: NOW))
    assert certificates.attempts()[NAME].failures == 1


@pytest.fixture
def lineage(tmp_path: Path) -> Lineage:
    """As certbot lays it out: links to numbered files, and a file that names them."""
    lineage, pair = Lineage(tmp_path, NAME), University().issue([NAME])
    leaf = pair.chain_pem.split(b"-----END", 1)[0] + b"-----END CERTIFICATE-----\n"
    contents = {"cert": leaf, "privkey": pair.key_pem(), "chain": b"", "fullchain": pair.chain_pem}
    live, archive, renewal = tmp_path / "live" / NAME, tmp_path / "archive" / NAME, tmp_path / "renewal"
    for folder in (live, archive, renewal):
        folder.mkdir(parents=True)
    for part in PARTS:
        (archive / f"{part}1.pem").write_bytes(contents[part])
        (live / f"{part}.pem").symlink_to(f"../../archive/{NAME}/{part}1.pem")
    (renewal / f"{NAME}.conf").write_text("".join(f"{part} = {live / part}.pem\n" for part in PARTS))
    return lineage


def names_in(folder: Path) -> set[str]:
    return {place.name for place in folder.iterdir()}


def test_a_sound_lineage_and_none_are_left_alone(lineage: Lineage) -> None:
    lineage.set_aside_if_damaged()
    replace(lineage, name="other.example.org").set_aside_if_damaged()
    newest = lineage.newest()
    assert newest
    assert newest.covers(NAME)
    assert names_in(lineage.home / "live") == {NAME}


def lose_a_link(home: Path) -> None:
    (home / "live" / NAME / "chain.pem").unlink()


def follow_a_link(home: Path) -> None:
    """As a copy does that knows no links."""
    link = home / "live" / NAME / "cert.pem"
    content = link.read_bytes()
    link.unlink()
    link.write_bytes(content)


def lose_the_archive(home: Path) -> None:
    for file in (home / "archive" / NAME).iterdir():
        file.unlink()


def empty_the_key(home: Path) -> None:
    os.truncate(home / "archive" / NAME / "privkey1.pem", 0)


def lose_the_settings(home: Path) -> None:
    (home / "renewal" / f"{NAME}.conf").unlink()


def empty_the_settings(home: Path) -> None:
    os.truncate(home / "renewal" / f"{NAME}.conf", 0)


@pytest.mark.parametrize(
    "damage",
    [lose_a_link, follow_a_link, lose_the_archive, empty_the_key, lose_the_settings, empty_the_settings],
)
def test_a_damaged_lineage_makes_room_for_another(lineage: Lineage, damage: Callable[[Path], None]) -> None:
    damage(lineage.home)
    lineage.set_aside_if_damaged()
    assert names_in(lineage.home / "live") == {f"{NAME}.set-aside-1"}
    assert names_in(lineage.home / "archive") == {f"{NAME}.set-aside-1"}
    assert names_in(lineage.home / "renewal") <= {f"{NAME}.conf.set-aside-1"}
    assert lineage.newest() is None
