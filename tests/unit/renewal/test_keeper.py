"""The keeper of a running server's certificates, look by look, with real files and contexts."""

from __future__ import annotations

import logging
import ssl
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

from entrypoint.certificates.authority import load_authority
from entrypoint.certificates.own import hold, keep_own_certificate, own_files, read_judgement
from entrypoint.certificates.serving import OWN, PRIVATE
from entrypoint.files.causes import MENDED_AFTER, Causes
from entrypoint.files.places import Places
from entrypoint.renewal.keeper import CertificateKeeper
from entrypoint.renewal.plan import Plan
from entrypoint.settings.names import ServerName
from entrypoint.settings.settings import Settings, from_environ
from tests.pki import Pair, University

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
LAB = ServerName("lab.example.org")


class Desk:
    """A server's folders, with a certificate of the person's own, and what was served and said."""

    def __init__(self, root: Path) -> None:
        self.places = Places(root)
        for folder in (self.places.tls.path, self.places.certificates, self.places.server_run):
            folder.mkdir(parents=True)
        self.files = self.places.certificates / "lab.pem", self.places.certificates / "lab.key"
        self.served: list[ssl.SSLContext] = []
        self.said: list[str] = []
        self.log = logging.getLogger(str(root))
        self.log.addHandler(self)  # type: ignore[arg-type]
        self.log.propagate = False

    # What `logging` asks of a handler.
    level = logging.WARNING

    def handle(self, record: logging.LogRecord) -> None:
        self.said.append(f"{record.levelname} {record.getMessage()}")

    def put(self, pair: Pair) -> None:
        self.files[0].write_bytes(pair.chain_pem)
        self.files[1].write_bytes(pair.key_pem())

    def keeper(self, has_own: bool = True) -> CertificateKeeper:
        plan = Plan((LAB,), self.files if has_own else None)
        return CertificateKeeper(plan, self.places, self.served.append, self.log)

    def start(self) -> tuple[str, ...]:
        """What the start says of the person's own certificate."""
        environ = {"SERVER_NAMES": LAB.text, "CERTIFICATE_FILE": "lab.pem", "KEY_FILE": "lab.key"}
        settings: Settings = from_environ(environ)
        keep_own_certificate(self.places, settings, NOW, hold(own_files(self.places, settings)))
        return read_judgement(self.places).lines


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


@pytest.fixture(scope="module")
def university() -> University:
    return University(NOW)


def weak_pair() -> Pair:
    """Sound to read, but of a key that OpenSSL has long refused to serve with."""
    key = rsa.generate_private_key(65537, 1024)  # noqa: S505  # that is what is tried
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, LAB.text)])
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, NOW - DAY, NOW + 60 * DAY)
    names = x509.SubjectAlternativeName([x509.DNSName(LAB.text)])
    leaf = builder.add_extension(names, critical=False).sign(key, hashes.SHA256())
    return Pair((leaf,), key)  # type: ignore[arg-type]


def test_near_the_authority_s_end_the_certificate_is_renewed_once_and_not_at_each_look(desk: Desk) -> None:
    keeper = desk.keeper(has_own=False)
    keeper.look(NOW)
    end = load_authority(desk.places.tls.authority.read_bytes()).certificate.not_valid_after_utc
    desk.said.clear()
    for number in range(5):
        keeper.look(end - 10 * DAY + number * SECOND)
    assert len(desk.served) == 2
    assert [line for line in desk.said if "gets a new certificate" in line] == desk.said[:1]


def test_what_openssl_refuses_is_told_and_the_private_one_serves(desk: Desk) -> None:
    desk.put(weak_pair())
    keeper = desk.keeper()
    keeper.look(NOW)
    assert [source.kind for source in keeper.sources] == [PRIVATE]
    assert len(desk.served) == 1
    assert "CERTIFICATE_FILE and KEY_FILE are not used: OpenSSL refuses it (ee key too small)." in desk.said[0]
    assert not desk.places.tls.own.exists()


def test_a_certificate_in_the_volume_that_openssl_refuses_holds_up_no_other(desk: Desk) -> None:
    weak = weak_pair()
    desk.places.tls.own.write_bytes(weak.key_pem() + weak.chain_pem)
    keeper = desk.keeper()
    for number in range(3):
        keeper.look(NOW + number * SECOND)
    assert [source.kind for source in keeper.sources] == [PRIVATE]
    assert len([line for line in desk.said if "own.pem is not served" in line]) == 1


def test_a_coming_certificate_is_served_from_its_first_moment(desk: Desk, university: University) -> None:
    desk.put(university.issue([LAB.text], from_day=1))
    keeper = desk.keeper()
    keeper.look(NOW)
    assert [source.kind for source in keeper.sources] == [PRIVATE]
    keeper.look(NOW + DAY)
    assert [source.kind for source in keeper.sources] == [OWN, PRIVATE]


def test_what_the_start_has_said_is_not_said_again(desk: Desk, university: University) -> None:
    pair = university.issue(["desk.example.org"])
    desk.put(replace(pair, chain=pair.chain[:1]))
    said = desk.start()
    assert ["doesn't name lab.example.org" in said[0], "append the certificates" in said[1]] == [True, True]
    desk.keeper().look(NOW)
    (line,) = desk.said
    assert "Now serving: your own certificate for desk.example.org" in line


def test_what_the_start_has_refused_is_not_told_again_until_it_changes(desk: Desk, university: University) -> None:
    desk.put(university.issue([LAB.text], from_day=-9, to_day=-1))
    assert "it ended on" in desk.start()[0]
    keeper = desk.keeper()
    keeper.look(NOW)
    assert desk.said == []
    desk.put(replace(university.issue([LAB.text]), key=university.issue([LAB.text]).key))
    keeper.look(NOW + SECOND)
    assert "don't match" in desk.said[0]
    # `workhorse status` tells what holds now.
    (line,) = read_judgement(desk.places).lines
    assert "don't match" in line


def test_a_certificate_that_signs_itself_is_told(desk: Desk, university: University) -> None:
    pair = university.issue([LAB.text])
    desk.put(pair)
    assert not any("signed by itself" in line for line in desk.start())
    name = pair.chain[0].subject
    builder = x509.CertificateBuilder(name, name, pair.key.public_key(), 1, NOW - DAY, NOW + 60 * DAY)
    names = x509.SubjectAlternativeName([x509.DNSName(LAB.text)])
    desk.put(Pair((builder.add_extension(names, critical=False).sign(pair.key, hashes.SHA256()),), pair.key))
    assert desk.start() == ("Your own certificate is signed by itself, so browsers warn of it.",)


def test_a_swapped_pair_is_recognised(desk: Desk, university: University) -> None:
    pair = university.issue([LAB.text])
    desk.files[0].write_bytes(pair.key_pem())
    desk.files[1].write_bytes(pair.chain_pem)
    (line,) = desk.start()
    assert "in the key's place stands a certificate (are the two swapped?)" in line


def test_an_own_certificate_s_end_is_an_error_once_a_day(desk: Desk, university: University) -> None:
    desk.put(university.issue([LAB.text], to_day=60))
    keeper = desk.keeper()
    keeper.look(NOW)
    desk.said.clear()
    for hours in (0, 1, 23, 25):
        keeper.look(NOW + 50 * DAY - timedelta(hours=0.5) + timedelta(hours=hours))
    endings = [line for line in desk.said if line.startswith("ERROR")]
    assert [f"ends in {days} days, on 2027-01-23. Put its successor" in line
            for days, line in zip((10, 9, 8), endings, strict=True)] == [True] * 3  # fmt: skip


def test_a_cause_is_said_again_after_it_was_mended() -> None:
    said: list[str] = []
    causes = Causes(said.append, ["from the start"])
    for _ in range(3):
        causes.meet("why", NOW)
        causes.meet("from the start", NOW)
    assert said == ["why"]
    causes.forget_mended(NOW + MENDED_AFTER - SECOND)
    causes.meet("why", NOW + MENDED_AFTER - SECOND)
    causes.forget_mended(NOW + MENDED_AFTER)
    assert said == ["why"]
    causes.forget_mended(NOW + 2 * MENDED_AFTER)
    causes.meet("why", NOW + 2 * MENDED_AFTER)
    assert said == ["why", "why"]


def test_a_cause_that_lasts_silences_no_other_that_comes_back() -> None:
    said: list[str] = []
    causes = Causes(said.append, ["from the start"])
    for half in range(4):
        now = NOW + half * MENDED_AFTER / 2
        causes.forget_mended(now)
        causes.meet("lasting", now)
        if half in (0, 3):
            causes.meet("back", now)
    assert said == ["lasting", "back", "back"]
    causes.meet("from the start", now)
    assert said[-1] == "from the start"


def test_what_vanishes_under_the_server_is_made_anew_and_told_once(desk: Desk) -> None:
    keeper = desk.keeper(has_own=False)
    keeper.look(NOW)
    assert desk.said == []
    for second in range(1, 4):
        desk.places.tls.server.unlink()
        keeper.look(NOW + second * SECOND)
        assert desk.places.tls.server.exists()
    desk.places.tls.authority.unlink()
    keeper.look(NOW + 4 * SECOND)
    assert [line for line in desk.said if "is gone" in line] == [
        f"WARNING {desk.places.tls.server} is gone; it is made anew.",
        f"WARNING {desk.places.tls.authority} is gone; it is made anew. Every device has to trust the new one.",
    ]
    load_authority(desk.places.tls.authority.read_bytes())
