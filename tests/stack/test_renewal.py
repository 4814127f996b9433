"""Certificates change under a running server: every connection is served, and whoever is at work notices nothing."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.x509 import load_pem_x509_certificate

from entrypoint.files.causes import MENDED_AFTER
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.handshakes import PATIENCE_SECONDS, Beside, Door, trusting
from tests.pki import Pair, University, replace_file
from tests.stacks import Stack, new_stack, poll, running

RENEWALS = 60
REPLACEMENTS = 1000
NAMES = ["lab.example.org", "desk.example.org"]
# What CERTIFICATE_FILE promises; a look takes place every second.
NOTICED_SECONDS = 60

# The server leaves its report anew where it is gone.
LOOKS = """set -e
for _ in 1 2; do
    rm -f /run/workhorse/server/certificates.json
    until [ -e /run/workhorse/server/certificates.json ]; do sleep 0.05; [ $SECONDS -lt 60 ]; done
done"""
# A line a second, timed by the clock, so that the last one doesn't depend on the machine's pace.
PRINT = """import time
began = time.monotonic()
for number in range({count}):
    time.sleep(max(0, began + number - time.monotonic()))
    print(number, flush=True)"""


def test_sixty_renewals_cost_no_handshake_and_no_line(stack: Stack, authority: Path, client: Client) -> None:
    door = Door(("127.0.0.1", stack.port), trusting(authority))
    kernel = client.start_kernel()
    kernel.run("pass")
    with ThreadPoolExecutor(1) as beside, Beside(door.serial, every_seconds=0.05) as handshakes:
        lines = beside.submit(kernel.run, PRINT.format(count=RENEWALS), 240)
        container = stack.container
        for _ in range(RENEWALS):
            before, seen = door.serial(), len(handshakes.results)
            # The server signs another as soon as it notices that this one is gone.
            container.exec_run(["rm", "/var/lib/workhorse/tls/server.pem"], user="0")
            poll(
                lambda before=before, seen=seen: (  # type: ignore[misc]
                    len(handshakes.results) > seen + 5 and handshakes.results[-1] != before
                ),
                wanted="another certificate, beside other handshakes",
            )
        printed = lines.result()
    kernel.shut_down()
    assert printed.split() == list(map(str, range(RENEWALS)))
    assert handshakes.failures == []
    assert len(handshakes.results) > 5 * RENEWALS
    assert len(set(handshakes.results)) >= RENEWALS
    assert "Traceback" not in stack.log()


def test_a_new_authority_takes_over_under_a_running_kernel(own_stack: Callable[..., Stack]) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    old = stack.authority().read_text()
    with Client(stack.url, stack.folder / "workhorse-ca.pem") as client:
        client.login(PASSWORD)
        kernel = client.start_kernel()
        kernel.run("kept = 7")
        printed = stack.workhorse("new-authority")
        authority = stack.authority()
        door = Door(("127.0.0.1", stack.port), trusting(authority))
        poll(lambda: door.verifies() or None, NOTICED_SECONDS, "a certificate of the new authority")
        assert kernel.run("print(kept)") == "7\n"
    fingerprint = load_pem_x509_certificate(authority.read_bytes()).fingerprint(hashes.SHA256()).hex(":").upper()
    assert fingerprint in printed
    assert authority.read_text() != old
    # Nothing is deleted that nobody asked to delete.
    assert old in stack.door_shell("cat /var/lib/workhorse/tls/authority.pem.set-aside-1")


@pytest.fixture(scope="module")
def university() -> University:
    return University()


class Desk:
    """A stack that serves a certificate of one's own, and the folder where that one is put."""

    def __init__(self, stack: Stack, university: University) -> None:
        self.stack, self.university = stack, university
        self.certificate, self.key = stack.certificates / "lab.pem", stack.certificates / "lab.key"

    def put(self, pair: Pair) -> None:
        replace_file(self.key, pair.key_pem(), 0o600)
        replace_file(self.certificate, pair.chain_pem)

    def issue(self, names: list[str] = NAMES, **days: float) -> Pair:
        return self.university.issue(names, **days)

    def door(self) -> Door:
        """Whichever of the two authorities the certificate comes from."""
        trust = trusting(self.stack.authority(), self.university.root_pem)
        return Door(("127.0.0.1", self.stack.port), trust, NAMES[0])

    def put_and_wait(self, pair: Pair, seconds: float = NOTICED_SECONDS) -> None:
        self.put(pair)
        self.wait_for(pair, seconds)

    def wait_for(self, pair: Pair, seconds: float = NOTICED_SECONDS) -> None:
        door = self.door()
        poll(lambda: door.serial() == pair.serial or None, seconds, "the replaced certificate")

    def restart(self, told: str = "") -> str:
        """What is said from the restart until the server has looked twice at its certificates, and this is told."""
        self.stack.compose("stop", "workhorse")
        before = len(self.stack.door_log())
        self.stack.up()
        self.stack.door_shell(LOOKS)
        return poll(lambda: said if told in (said := self.stack.door_log()[before:]) else None, wanted=told)

    def line(self, text: str) -> str:
        """The first line of the log that holds a text, as soon as there is one."""
        return poll(
            lambda: next((line for line in self.stack.door_log().splitlines() if text in line), None),
            NOTICED_SECONDS,
            f"a line with '{text}'",
        )


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, university: University) -> Iterator[Desk]:
    settings = {"SERVER_NAMES": ",".join(NAMES), "CERTIFICATE_FILE": "lab.pem", "KEY_FILE": "lab.key"}
    stack = new_stack(tmp_path_factory.mktemp("desk"), JUPYTER_PASSWORD=PASSWORD, **settings)
    desk = Desk(stack, university)
    desk.put(desk.issue())
    with running(stack):
        yield desk


def test_a_replaced_certificate_is_served_within_a_minute(desk: Desk) -> None:
    desk.put_and_wait(desk.issue(), NOTICED_SECONDS)
    desk.line("Now serving: your own certificate for desk.example.org, lab.example.org")


def encrypt_the_key(desk: Desk, pair: Pair) -> None:
    replace_file(desk.key, pair.key_pem(b"a password"), 0o600)
    replace_file(desk.certificate, pair.chain_pem)


def turn_the_chain_round(desk: Desk, pair: Pair) -> None:
    desk.put(Pair(tuple(reversed(pair.chain)), pair.key))


def break_the_chain(desk: Desk, pair: Pair) -> None:
    desk.put(Pair((pair.chain[0], desk.university.root, desk.university.between), pair.key))


def use_an_old_one(desk: Desk, _: Pair) -> None:
    desk.put(desk.issue(from_day=-9, to_day=-1))


def use_a_coming_one(desk: Desk, _: Pair) -> None:
    desk.put(desk.issue(from_day=1, to_day=9))


def close_the_key(desk: Desk, pair: Pair) -> None:
    replace_file(desk.key, pair.key_pem(), 0o600, uid=0)
    replace_file(desk.certificate, pair.chain_pem)


@pytest.mark.parametrize(
    ("damage", "line"),
    [
        (encrypt_the_key, "the key is encrypted; write it without: openssl pkey"),
        (turn_the_chain_round, "the server's certificate doesn't stand first in its chain"),
        (break_the_chain, "'University root' did not sign 'lab.example.org' above it"),
        (use_an_old_one, "it ended on "),
        (use_a_coming_one, "it is valid only from "),
        (close_the_key, "lab.key can't be read by user 1000"),
    ],
)
def test_an_unsound_certificate_is_told_and_the_one_before_serves_on(
    desk: Desk, damage: Callable[[Desk, Pair], None], line: str
) -> None:
    sound = desk.issue()
    desk.put_and_wait(sound)
    with Beside(desk.door().serial, every_seconds=0.05) as handshakes:
        damage(desk, desk.issue())
        told = desk.line(line)
    assert "CERTIFICATE_FILE and KEY_FILE are not used: " in told
    assert handshakes.failures == []
    assert set(handshakes.results) == {sound.serial}


def test_a_name_of_the_certificate_alone_is_no_reason_to_warn(desk: Desk) -> None:
    """Though SERVER_NAMES lacks it: browsers are content."""
    desk.put_and_wait(desk.issue([*NAMES, "other.example.org"]))
    authority = desk.stack.folder / "workhorse-ca.pem"
    for name in ("other.example.org", "unknown.example.org"):
        with Client(desk.stack.url, authority) as client:
            client.session.headers["Host"] = f"{name}:{desk.stack.port}"
            client.login(PASSWORD)
            assert client.is_logged_in()
    desk.line("You came by the name unknown.example.org")
    assert "You came by the name other.example.org" not in desk.stack.door_log()


def test_a_chain_without_what_lies_between_is_told_and_served(desk: Desk) -> None:
    pair = desk.issue()
    desk.put_and_wait(desk.issue())
    desk.put(Pair(pair.chain[:1], pair.key))
    assert "Phones may refuse it: append the certificates in between to the file." in desk.line("the chain ends at")


def test_a_name_that_is_missing_is_told_and_served_by_the_private_authority(desk: Desk) -> None:
    pair = desk.issue(NAMES[:1])
    desk.put_and_wait(pair)
    assert "Your own certificate doesn't name desk.example.org; the private authority's serves there." in desk.line(
        "doesn't name"
    )
    trust = trusting(desk.stack.authority())
    assert Door(("127.0.0.1", desk.stack.port), trust, "desk.example.org").serial() != pair.serial


def test_a_key_that_only_root_may_read_serves_from_the_next_start(desk: Desk) -> None:
    desk.put_and_wait(desk.issue())
    pair = desk.issue()
    close_the_key(desk, pair)
    said = desk.restart()
    assert desk.door().serial() == pair.serial
    # The server's user can't read it, and need not: nothing is to be done.
    assert "are not used" not in said


def test_a_start_with_an_unsound_certificate_serves_the_one_before_and_says_why_once(desk: Desk) -> None:
    sound = desk.issue()
    desk.put_and_wait(sound)
    encrypt_the_key(desk, desk.issue())
    refusal = "  ATTENTION     CERTIFICATE_FILE and KEY_FILE are not used: the key is encrypted"
    said = desk.restart(refusal)
    assert desk.door().serial() == sound.serial
    assert said.count("the key is encrypted") == 1
    assert refusal in desk.stack.workhorse("status")
    assert "- CERTIFICATE_FILE and KEY_FILE are not used:" in desk.stack.workhorse("audit", check=False)
    desk.put_and_wait(desk.issue())
    assert "are not used" not in desk.stack.workhorse("status")


def test_what_the_start_found_in_a_key_that_only_root_may_read_holds(desk: Desk) -> None:
    desk.put_and_wait(desk.issue())
    close_the_key(desk, Pair(desk.issue().chain, desk.issue().key))
    assert "can't be read" not in desk.restart("key and certificate don't match")
    assert "key and certificate don't match" in desk.stack.workhorse("status")
    desk.put_and_wait(desk.issue())


def spoil(desk: Desk, number: int) -> str:
    """Damages the files in one of several ways; returns what the log calls it."""
    match number % 5:
        case 0:
            replace_file(desk.certificate, b"\x00garbage\n" * 99)
            return "the certificate is not PEM text"
        case 1:
            replace_file(desk.key, b"\x00garbage\n" * 99)
            return "the key is not PEM text"
        case 2:
            replace_file(desk.key, desk.issue().key_pem())
            return "key and certificate don't match"
        case 3:
            # Not in one step, as an editor or `cat >` does it.
            desk.certificate.write_bytes(b"")
            return "lab.pem is empty"
        case _:
            desk.key.unlink()
            return "lab.key can't be read (No such file or directory)"


def test_a_thousand_replacements_sound_and_not_fail_no_handshake_and_fill_no_log(desk: Desk) -> None:
    pairs = [desk.issue() for _ in range(10)]
    began, begun_at = len(desk.stack.door_log().splitlines()), time.monotonic()
    causes = set()
    with Beside(desk.door().serial, every_seconds=0.02) as handshakes:
        for number in range(REPLACEMENTS):
            desk.put(pairs[number % len(pairs)])
            if number % 10 == 3:
                cause = spoil(desk, number // 10)
                # Left as it is the first time, until it has been noticed.
                if cause not in causes:
                    desk.line(cause)
                causes.add(cause)
        desk.put_and_wait(pairs[0])
    assert handshakes.failures == []
    assert handshakes.slowest < PATIENCE_SECONDS
    assert len(causes) == 5
    # A write in two steps may be read between them, which is a cause of its own, but none is told twice in a minute.
    minutes = int((time.monotonic() - begun_at) / MENDED_AFTER.total_seconds())
    refusals = Counter(line[line.index("are not used") :] for line in desk.stack.door_log().splitlines()[began:]
                       if "are not used" in line)  # fmt: skip
    assert 1 <= max(refusals.values()) <= 1 + minutes
