"""Whatever becomes of the certificates in the volume, the server answers with TLS that verifies, and says why."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from entrypoint.certificates.authority import Authority, load_authority
from tests.conftest import PASSWORD
from tests.handshakes import Beside, Door, trusting
from tests.pki import Pair, University, replace_file
from tests.stacks import Stack, new_stack, poll, running

OWN, PUBLIC = "lab.example.org", "desk.example.org"
FOLDER = "/var/lib/workhorse/tls"
AUTHORITY, SERVER, COPY, ISSUED, ATTEMPTS = FILES = (
    "authority.pem", "server.pem", "own.pem", f"public-{PUBLIC}.pem", "attempts.json",
)  # fmt: skip
DAMAGES = ("expired", "not yet valid", "wrong key", "wrong owner", "truncated", "empty", "directory")
# tests/stack/test_bad_input.py starts over these.
STARTED_OVER = [(file, damage) for file in (AUTHORITY, SERVER) for damage in DAMAGES[3:]]
# Days from today.
DATES = {"expired": (-9, -1), "not yet valid": (2, 9)}


def aside(file: str) -> str:
    return rf"{re.escape(file)} can't be used \(.+\); it is kept as .+\.set-aside-\d+"


def unreadable(file: str) -> dict[str, str]:
    return dict.fromkeys(DAMAGES, "") | dict.fromkeys(("wrong owner", "directory"), aside(file))


# What the log says, by file and damage, as patterns. Nothing where only the copy of an original is lost, which is made
# again, or the memory of what was tried when.
SAID: Mapping[str, Mapping[str, str]] = {
    AUTHORITY: dict.fromkeys(DAMAGES, aside(AUTHORITY))
    | {"expired": "The old one: it ended on", "not yet valid": "The old one: it is valid only from"},
    SERVER: dict.fromkeys(DAMAGES, aside(SERVER))
    | {"expired": "The old one: its last day is", "not yet valid": "The old one: it is valid only from"},
    COPY: unreadable(COPY),
    ISSUED: {**unreadable(ISSUED), **dict.fromkeys(("wrong key", "truncated", "empty"), "its file is gone or damaged")}
    | dict.fromkeys(DATES, "No longer serving: "),
    # Written anew after an attempt, whoever owns it.
    ATTEMPTS: unreadable(ATTEMPTS) | {"wrong owner": ""},
}
SAID_AT_START: Mapping[str, Mapping[str, str]] = {
    **SAID,
    # The start gives the files to their owner before it reads them.
    COPY: unreadable(COPY) | {"wrong owner": ""},
    ISSUED: dict.fromkeys(DAMAGES, f"{ISSUED} is not served: it is damaged")
    | {"expired": f"{ISSUED} is not served: it ended on", "not yet valid": f"{ISSUED} is not served: it is valid only"}
    | {"wrong owner": "", "directory": aside(ISSUED)},
}


class Site:
    """A stack with a certificate of each kind, and what its files hold while they are sound."""

    def __init__(self, stack: Stack) -> None:
        self.stack, self.university = stack, University()
        self.own, self.issued = self.university.issue([OWN]), self.university.issue([PUBLIC])
        replace_file(stack.certificates / "lab.pem", self.own.chain_pem)
        replace_file(stack.certificates / "lab.key", self.own.key_pem(), 0o600)

    def door(self, name: str) -> Door:
        # The server says that a damaged one is made anew before it has done so.
        authority = poll(self._authority, wanted="a sound authority").certificate_pem.decode()
        return Door(("127.0.0.1", self.stack.port), trusting(authority, self.university.root_pem), name)

    def _authority(self) -> Authority | None:
        try:
            return load_authority(self.run(f"cat {AUTHORITY}"))
        except ValueError:
            return None

    def started(self) -> None:
        # Asked without `docker compose`, which takes a third of a second each time.
        self.container = self.stack.container

    def run(self, script: str) -> bytes:
        """What a script prints that root runs over the volume; nothing if it fails."""
        status, output = self.container.exec_run(["/bin/bash", "-euc", script], user="0", workdir=FOLDER)
        assert isinstance(output, bytes)
        return b"" if status else output

    def log(self) -> str:
        return self.container.logs().decode()

    def change(self, script: str) -> None:
        status, output = self.container.exec_run(["/bin/bash", "-euc", script], user="0", workdir=FOLDER)
        assert status == 0, output

    def damaged(self, file: str, damage: str, sound: bytes) -> str:
        """A shell script that damages a file: in one step, or the server would make a missing one anew meanwhile."""
        owner = "0:0" if damage == "wrong owner" else "1000:1000"
        if damage == "directory":
            # No folder takes a file's place in one step; if the server has been faster, it is tried again.
            put = f"until rm -f {file} && mv -T new {file} 2>/dev/null; do :; done"
            return f"mkdir -m 700 new; touch new/x; chown -R {owner} new; {put};"
        content = base64.b64encode(self._content(file, damage, sound)).decode()
        return f"echo {content} | base64 -d >new; chown {owner} new; chmod 600 new; mv -T new {file};"

    def _content(self, file: str, damage: str, sound: bytes) -> bytes:
        match damage:
            case "truncated":
                return sound[: len(sound) // 2]
            case "empty":
                return b""
            case "wrong owner" | "none":
                return sound
        if file == ATTEMPTS:
            return attempts(damage)
        if damage == "wrong key":
            return with_other_key(sound)
        signer = load_authority(self.sound[AUTHORITY]).key if file in (AUTHORITY, SERVER) else self.university.key
        return with_dates(sound, signer, *DATES[damage])

    def take_stock(self) -> None:
        """Puts a sound certificate of an ACME server in place, and remembers what every file holds."""
        issued = self.issued.key_pem() + self.issued.chain_pem
        if self.run(f"cat {ISSUED}") != issued:
            self.change(self.damaged(ISSUED, "none", issued))
        self.wait_for(PUBLIC, self.issued)
        poll(self.answers, wanted="a certificate that the authority has signed")
        # What the last test damaged may be set aside already, and not made anew yet.
        self.sound = {file: poll(partial(self.run, f"cat {file}"), wanted=file) for file in FILES}

    def wait_for(self, name: str, pair: Pair) -> None:
        door = self.door(name)
        poll(lambda: door.serial() == pair.serial or None, wanted=f"the certificate for {name}")

    def wait_for_lines(self, patterns: list[str], after: int) -> None:
        for pattern in filter(None, patterns):
            poll(lambda pattern=pattern: re.search(pattern, self.log()[after:]), wanted=pattern)  # type: ignore[misc]

    def answers(self) -> bool | None:
        try:
            return bool(self.door("localhost").serial())
        except (OSError, ValueError):
            return None

    def verify_all_names(self) -> None:
        # A new authority is there before what it signs is served.
        poll(self.answers, wanted="a certificate that the authority has signed")
        for name in (OWN, PUBLIC):
            self.door(name).open().close()


def with_other_key(pem: bytes) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    certificates = pem[pem.index(b"-----BEGIN CERTIFICATE") :]
    return key_pem(key) + certificates


def key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return Pair((), key).key_pem()


def with_dates(pem: bytes, signer: ec.EllipticCurvePrivateKey, from_day: int, to_day: int) -> bytes:
    """The same certificate, signed for another time."""
    first, *others = x509.load_pem_x509_certificates(pem)
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(
        first.issuer, first.subject, first.public_key(), x509.random_serial_number(),
        now + timedelta(days=from_day), now + timedelta(days=to_day),
    )  # fmt: skip
    for extension in first.extensions:
        builder = builder.add_extension(extension.value, extension.critical)
    chain = [builder.sign(signer, hashes.SHA256()), *others]
    key = pem[: pem.index(b"-----BEGIN CERTIFICATE")]
    return key + b"".join(each.public_bytes(serialization.Encoding.PEM) for each in chain)


def attempts(damage: str) -> bytes:
    """The memory of attempts: long past, never again, or of other settings."""
    time = {"expired": "2000-01-01T00:00:00+00:00", "not yet valid": "9999-12-31T23:59:59+00:00"}.get(damage, "")
    names = {PUBLIC: {"next": time, "failures": 1, "reason": "none"}}
    return json.dumps({"settings": [], "names": names}).encode()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    stack = new_stack(
        tmp_path_factory.mktemp("site"), JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES=f"{OWN},{PUBLIC}",
        CERTIFICATE_FILE="lab.pem", KEY_FILE="lab.key",
        # Nobody is there, so that nothing is obtained.
        LETSENCRYPT_EMAIL="person@example.org", ACME_SERVER="https://127.0.0.1:9/directory",
    )  # fmt: skip
    site = Site(stack)
    with running(stack):
        site.started()
        yield site


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_file_damaged_under_the_server_costs_no_handshake(site: Site, file: str, damage: str) -> None:
    site.take_stock()
    before = len(site.log())
    with Beside(site.door(OWN).serial, every_seconds=0.05) as handshakes:
        site.change(site.damaged(file, damage, site.sound[file]))
        site.wait_for_lines([SAID[file][damage]], before)
        site.wait_for(OWN, site.own)
    assert handshakes.failures == []
    site.verify_all_names()
    assert "Traceback" not in site.log()


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_start_over_damaged_files_serves(site: Site, damage: str) -> None:
    site.take_stock()
    files = [file for file in FILES if (file, damage) not in STARTED_OVER]
    script = "".join(site.damaged(file, damage, site.sound[file]) for file in files)
    site.container.kill()
    site.container.wait()
    before = len(site.log())
    site.stack.in_state_volume(f"cd /state/tls; {script}")
    site.container.start()
    poll(site.answers, wanted="an answer")
    # The server's own gets another one in any case where the authority does.
    site.wait_for_lines([SAID_AT_START[file][damage] for file in files if file != SERVER], before)
    site.wait_for(OWN, site.own)
    site.verify_all_names()
    assert "Traceback" not in site.log()
