"""What a person is told of the certificates' future: what happens next and when, and what comes to its end."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from entrypoint.certificates.authority import Authority
from entrypoint.certificates.endings import endings
from entrypoint.certificates.keeping import keep_certificates
from entrypoint.certificates.own import Judgement, write_judgement
from entrypoint.files.places import Places
from entrypoint.renewal.acme import Acme
from entrypoint.renewal.attempts import Attempt, write_attempts
from entrypoint.report.status import find_current, plans, status_now, successions
from entrypoint.settings.known import KnownSettings
from entrypoint.settings.settings import from_environ
from tests.pki import University

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY = timedelta(days=1)
NAMES = "lab.example.org,printer.local,192.168.1.20"
EMAIL = "ada@example.org"


@pytest.fixture
def places(tmp_path: Path) -> Places:
    places = Places(tmp_path)
    places.state.mkdir(parents=True)
    return places


def told(places: Places, **environ: str) -> list[str]:
    settings = from_environ({"SERVER_NAMES": NAMES, **environ})
    keep_certificates(places.tls, settings.server_names, NOW, print)
    return list(plans(places, settings, find_current(places, settings, NOW)))


def test_the_private_authority_says_on_which_day_it_signs_anew(places: Places) -> None:
    assert told(places) == ["The private authority signs a new certificate on 2027-01-23."]


def test_an_own_certificate_says_until_when_it_has_to_be_replaced(places: Places) -> None:
    pair = University(NOW).issue(["lab.example.org"], to_day=60)
    places.tls.path.mkdir()
    places.tls.own.write_bytes(pair.key_pem() + pair.chain_pem)
    lines = told(places, CERTIFICATE_FILE="lab.pem", KEY_FILE="lab.key")
    assert "successor in its place before 2027-01-23" in lines[0]


def test_public_names_say_when_they_are_asked_for_and_private_ones_that_they_are_not(places: Places) -> None:
    lines = told(places, LETSENCRYPT_EMAIL=EMAIL)
    assert "lab.example.org: certbot asks for a certificate within seconds." in lines
    assert (
        "printer.local, 192.168.1.20: served by the private authority, since no public one vouches for such names."
        in lines
    )


def test_a_failed_attempt_is_told_at_the_next_start_too(places: Places) -> None:
    places.tls.path.mkdir()
    attempts = {"lab.example.org": Attempt("2026-11-24T12:05:00+00:00", 1, "No route")}
    write_attempts(places.tls.attempts, Acme(EMAIL, places.tls.certbot), attempts)
    (line,) = [line for line in told(places, LETSENCRYPT_EMAIL=EMAIL) if line.startswith("lab.example.org")]
    assert (
        "attempt 2 at 2026-11-24 12:05 UTC, or now with: docker compose exec workhorse workhorse renew. No route."
        in line
    )


def test_what_is_wrong_with_an_own_certificate_is_told(places: Places) -> None:
    settings = from_environ({"SERVER_NAMES": NAMES})
    authority, _ = keep_certificates(places.tls, settings.server_names, NOW, print)
    known = KnownSettings(settings, has_password=True)
    assert status_now(places, known, authority, ["first"], NOW).warnings == ("first",)
    places.server_run.mkdir(parents=True)
    write_judgement(places, Judgement(("CERTIFICATE_FILE is not used.",)))
    assert status_now(places, known, authority, (), NOW).warnings == ("CERTIFICATE_FILE is not used.",)


def test_the_authority_s_end_is_told_a_year_ahead(places: Places) -> None:
    authority: Authority
    authority, _ = keep_certificates(places.tls, (), NOW, print)
    end = authority.certificate.not_valid_after_utc
    assert list(endings(authority, (), end - 366 * DAY)) == []
    (line,) = endings(authority, (), end - 364 * DAY)
    assert "every device has to trust" in line
    assert "workhorse new-authority" in line


def test_a_new_authority_is_told_for_a_month(places: Places) -> None:
    few, more = (from_environ({"SERVER_NAMES": names}) for names in ("192.168.1.20", NAMES))
    first, _ = keep_certificates(places.tls, few.server_names, NOW, print)
    assert list(successions(places.tls, first, few, NOW)) == []
    second, _ = keep_certificates(places.tls, more.server_names, NOW + DAY, print)
    (line,) = successions(places.tls, second, more, NOW + 30 * DAY)
    assert line.startswith(
        "The private authority was made anew on 2026-11-25. Of the one before: it may not vouch for "
    )
    assert "lab.example.org.\nEvery device that trusted the one before has to trust this one: " in line
    assert list(successions(places.tls, second, more, NOW + 31 * DAY)) == []


def test_a_new_authority_in_the_place_of_what_was_none_is_told_too(places: Places) -> None:
    settings = from_environ({"SERVER_NAMES": NAMES})
    keep_certificates(places.tls, settings.server_names, NOW, print)
    places.tls.authority.write_bytes(b"damaged")
    authority, _ = keep_certificates(places.tls, settings.server_names, NOW, print)
    (line,) = successions(places.tls, authority, settings, NOW)
    assert line.startswith("The private authority was made anew on 2026-11-24.\n")
