"""Certificates from a real ACME server: issued, renewed, and what becomes of the server when they can't be."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPResponse
from typing import Any

import pytest

from tests.acme import BLOCKED, DIRECTORY, LIMITED_DIRECTORY, SERVER_PYTHON, SILENT_DIRECTORY, Pebble
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.handshakes import Beside, Door, trusting
from tests.stacks import REPOSITORY, Stack, new_stack, poll, prepared

LAB, TWO, LOST = "lab.example.org", "two.example.org", "lost.example.org"
PRIVATE = ["printer.local", "192.168.77.7", "localhost", "127.0.0.1"]
NOTICED_SECONDS = 60
# Certbot renews at half of so short a life, and takes about four seconds, on a busy machine three times as many.
SHORT_SECONDS = 60
# Certbot waits for 45 seconds.
START_SECONDS = 40
TLS = "/var/lib/workhorse/tls"
# Beyond the thirty seconds after which the server first asks a websocket whether it is still there.
LINES = 33
PRINT = """import time
for number in range({count}):
    print(number, flush=True)
    time.sleep(1)"""
LISTEN = """import socket
listener = socket.create_server(("", 8880))
print("listening")"""
HOOK = """#!/bin/sh
# As certbot's manual tells: the name and the text come in variables.
name="_acme-challenge.$CERTBOT_DOMAIN."
case $1 in
    auth) curl -sf -d "{\\"host\\": \\"$name\\", \\"value\\": \\"$CERTBOT_VALIDATION\\"}" http://dns:8055/set-txt ;;
    cleanup) curl -sf -d "{\\"host\\": \\"$name\\"}" http://dns:8055/clear-txt ;;
esac
"""


@dataclass
class Lab:
    """A server with public names, and the ACME server that it asks."""

    stack: Stack
    pebble: Pebble
    said: int = field(default=0)

    def serial(self, name: str = LAB) -> str:
        """Waits until the ACME server's certificate for a name is served, verified; returns its serial number."""
        door = self.pebble.door(name)
        poll(lambda: door.verifies() or None, NOTICED_SECONDS, f"Pebble's certificate for {name}")
        return door.serial()

    def other_serial(self, before: str, name: str = LAB) -> str:
        def other() -> str | None:
            return serial if self.pebble.door(name).verifies() and (serial := self.serial(name)) != before else None

        return poll(other, NOTICED_SECONDS, f"another certificate for {name}")

    def private_door(self, name: str = "localhost") -> Door:
        return Door(("127.0.0.1", self.stack.port), trusting(self.stack.authority()), name)

    def ask(self) -> None:
        """Has certificates asked for now; `line` looks at what is said from here on."""
        self.said = len(self.stack.door_log())
        self.stack.workhorse("renew")

    def run(self, script: str, check: bool = True) -> str:
        """Runs a script as the server's own user."""
        return self.stack.door_shell(script, user="1000", check=check)

    def lose(self, *names: str) -> None:
        """Deletes what certbot keeps for names, so that it has to obtain each anew."""
        places = [f"{folder}/{name}" for name in names for folder in ("live", "archive")]
        settings = [f"renewal/{name}.conf" for name in names]
        self.run(f"cd {TLS}/certbot/pebble*/ && rm -rf {' '.join(places + settings)}")

    def line(self, *texts: str) -> str:
        """The first new line of the log that holds all texts, as soon as there is one."""

        def found() -> str | None:
            lines = self.stack.door_log()[self.said :].splitlines()
            return next((line for line in lines if all(text in line for text in texts)), None)

        return poll(found, NOTICED_SECONDS, f"a line with {texts}")

    def status(self) -> str:
        """As one long line, whatever the width."""
        return " ".join(self.stack.workhorse("status").split())

    def attempts(self) -> dict[str, dict[str, Any]]:
        """None where `renew` has just forgotten them."""
        text = self.run(f"cat {TLS}/attempts.json", check=False)
        kept: dict[str, dict[str, Any]] = json.loads(text)["names"] if text else {}
        return kept

    def settled_attempts(self, *names: str) -> dict[str, dict[str, Any]]:
        """The attempts, once there is one for each of these names, and none of them under way."""

        def settled() -> dict[str, dict[str, Any]] | None:
            attempts = self.attempts()
            is_settled = all(name in attempts and "under way" not in attempts[name]["reason"] for name in names)
            return attempts if is_settled else None

        return poll(settled, 3 * NOTICED_SECONDS, "the end of an attempt")

    def restart(self, in_between: str = ":") -> None:
        self.stack.compose("stop", "workhorse")
        self.stack.in_state_volume(in_between)
        self.said = len(self.stack.door_log())
        self.up_alone()

    def up_alone(self) -> float:
        """Starts the others and then the server, and no ACME server that was stopped; returns the server's seconds."""
        up = ("up", "-d", "--no-build", "--no-deps", "--wait")
        self.stack.compose(*up, "lab", "kernels")
        began = time.monotonic()
        self.stack.compose(*up, "workhorse")
        return time.monotonic() - began


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three public names, of which one leads elsewhere, and some that no public authority vouches for."""
    names = ",".join([LAB, TWO, LOST, *PRIVATE[:2]])
    with prepared(new_stack(tmp_path_factory.mktemp("acme"), JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES=names)) as stack:
        lab = Lab(stack, Pebble(stack))
        lab.pebble.start()
        lab.pebble.lead(LOST, lab.pebble.nobody)
        stack.up()
        lab.serial(TWO)
        yield lab


@pytest.fixture
def lab(shared: Lab) -> Iterator[Lab]:
    """Whatever a test does to it, it answers over TLS at the end: by both authorities, each verified."""
    yield shared
    shared.private_door().serial()
    shared.serial()


@pytest.fixture(scope="module")
def brief(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A server whose certificates live for seconds, and whose ACME server has never answered yet."""
    with prepared(new_stack(tmp_path_factory.mktemp("acme"), JUPYTER_PASSWORD=PASSWORD, SERVER_NAMES=LAB)) as stack:
        yield Lab(stack, Pebble(stack, validity_seconds=SHORT_SECONDS))


def headers(door: Door) -> dict[str, str]:
    with door.open() as tls:
        tls.sendall(f"GET /login HTTP/1.1\r\nHost: {door.name}\r\nConnection: close\r\n\r\n".encode())
        response = HTTPResponse(tls)
        response.begin()
        assert response.status == 200
        return dict(response.getheaders())


@pytest.mark.parametrize(("file", "ports"), [("", {8888}), (":compose/letsencrypt.yml", {8888, 8880})])
def test_port_80_is_open_only_when_asked_for(file: str, ports: set[int]) -> None:
    command = ["docker", "compose", "config", "--format", "json"]
    environment = {**os.environ, "COMPOSE_FILE": f"docker-compose.yml{file}"}
    config = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True, check=True)
    published = json.loads(config.stdout)["services"]["workhorse"]["ports"]
    assert {port["target"] for port in published} == ports
    assert [port["published"] for port in published if port["target"] == 8880] == ["80"] * bool(file)


def test_each_public_name_has_its_own_certificate(lab: Lab) -> None:
    for name in (LAB, TWO):
        assert lab.pebble.names(name) == [name]
        lab.line("Now serving: the certificate for", name, "issued by Pebble Intermediate CA")
    assert lab.serial(LAB) != lab.serial(TWO)


@pytest.mark.parametrize("name", PRIVATE)
def test_names_without_a_public_authority_stay_with_the_private_one(lab: Lab, name: str) -> None:
    lab.private_door(name).serial()
    assert not lab.pebble.door(name).verifies()


def test_a_name_that_leads_elsewhere_is_told_and_leaves_the_others_alone(lab: Lab) -> None:
    said = lab.line(f"No new certificate for {LOST}", "port 80 has to reach it")
    assert lab.pebble.nobody in said
    assert ".well-known" not in said
    lab.private_door(LOST).serial()
    assert lab.serial(TWO)
    number = lab.settled_attempts(LOST)[LOST]["failures"] + 1
    status = lab.status()
    assert f"{LOST}: attempt {number} at " in status
    assert "or now with: docker compose exec workhorse workhorse renew" in status
    assert f"{LAB}: certbot looks at" in status
    assert "printer.local, 192.168.77.7: served by the private authority, since no public one vouches" in status


def test_a_browser_is_not_told_to_insist_on_what_few_trust(lab: Lab) -> None:
    assert "Strict-Transport-Security" not in headers(lab.pebble.door(LAB))
    assert "publicly" not in lab.status()


def test_keys_are_closed_to_others_and_logs_stay_few(lab: Lab) -> None:
    assert lab.run(f"find {TLS} -type f -perm /077") == ""
    assert lab.run(f"stat -c %a {TLS} {TLS}/certbot") == "700\n700\n"
    assert int(lab.run(f"ls {TLS}/certbot/*/logs | wc -l")) <= 4


def test_a_restart_asks_nobody_before_the_time(lab: Lab) -> None:
    # The next one is five minutes away.
    lab.ask()
    lab.line(f"No new certificate for {LOST}")
    before, orders = lab.settled_attempts(LAB, TWO, LOST), lab.pebble.orders()
    lab.restart()
    # The log of the new start tells it again.
    told = f"{LOST}: attempt 2 at "
    poll(lambda: told in " ".join(lab.stack.door_log()[lab.said :].split()) or None, wanted="what the start tells")
    poll(lambda: told in lab.status() or None, wanted="the certificates' report")
    assert lab.attempts() == before
    assert lab.pebble.orders() == orders


def test_a_changed_setting_asks_at_once(lab: Lab) -> None:
    orders, serial = lab.pebble.orders(), lab.serial()
    lab.stack.set(LETSENCRYPT_EMAIL="grace@example.org")
    lab.said = 0
    lab.stack.up()
    lab.line(f"No new certificate for {LOST}")
    # The two that aren't due are left alone.
    assert (lab.pebble.orders(), lab.serial()) == (orders + 1, serial)


def test_mended_dns_brings_the_certificate(lab: Lab) -> None:
    lab.pebble.lead_back(LOST)
    lab.ask()
    assert lab.serial(LOST)
    assert "attempt" not in lab.status()


def test_an_account_that_the_server_has_lost_is_made_anew(lab: Lab) -> None:
    before = lab.serial(TWO)
    lab.pebble.stop()
    lab.pebble.start()
    lab.lose(TWO)
    lab.ask()
    lab.other_serial(before, TWO)


def test_accounts_that_belong_to_another_say_that_a_restart_gives_them_back(lab: Lab) -> None:
    before = lab.serial(TWO)
    lab.lose(TWO)
    lab.stack.door_shell(f"chown -R 0:0 {TLS}/certbot/pebble*/accounts")
    lab.ask()
    lab.line(f"No new certificate for {TWO}", "Permission denied", "docker compose restart workhorse")
    lab.stack.compose("restart", "workhorse")
    lab.up_alone()
    lab.ask()
    lab.other_serial(before, TWO)


@pytest.mark.parametrize("damage", ["rm -r accounts", "for f in $(find accounts -type f); do echo > $f; done"])
def test_lost_or_damaged_accounts_in_the_volume_are_made_anew(lab: Lab, damage: str) -> None:
    before = lab.serial(TWO)
    lab.lose(TWO)
    lab.run(f"cd {TLS}/certbot/pebble*/ && chmod -R u+w accounts && {damage}")
    lab.ask()
    lab.other_serial(before, TWO)


@pytest.mark.parametrize(
    "damage",
    [
        f"rm -r live/{LAB}",
        f"for key in archive/{LAB}/privkey*.pem; do echo > $key; done",
        f"rm renewal/{LAB}.conf",
        f"chown -R 0:0 archive/{LAB} renewal/{LAB}.conf",
    ],
)
def test_a_damaged_lineage_is_begun_anew_under_its_name(lab: Lab, damage: str) -> None:
    before = lab.serial()
    lab.stack.door_shell(f"cd {TLS}/certbot/pebble*/ && {damage}")
    lab.ask()
    lab.other_serial(before)
    assert lab.run(f"cd {TLS}/certbot/pebble*/renewal && ls -d {LAB}*.conf").split() == [f"{LAB}.conf"]


def test_no_notebook_takes_the_port_of_the_proof(lab: Lab) -> None:
    before = lab.serial()
    with Client(lab.stack.url, lab.stack.authority()) as client:
        client.login(PASSWORD)
        kernel = client.start_kernel()
        assert kernel.run(LISTEN) == "listening\n"
        lab.lose(LAB)
        lab.ask()
        lab.other_serial(before)
        kernel.shut_down()


def test_a_taken_port_is_told(lab: Lab) -> None:
    before = lab.serial()
    # By a script of one's own, or by hand: nothing of a notebook runs here.
    listener = f"{LISTEN}\ninput()"
    command = [*lab.stack.compose_command, "exec", "-T", "-u", "1000", "workhorse", SERVER_PYTHON, "-uIc", listener]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "listening\n"
        lab.lose(LAB)
        lab.ask()
        lab.line(f"No new certificate for {LAB}", "bind TCP port 8880", "docker compose restart workhorse")
        assert lab.serial() == before
        process.stdin.close()
    lab.ask()
    lab.other_serial(before)


def test_refused_nonces_are_overcome(lab: Lab) -> None:
    before = lab.serial()
    lab.pebble.start(refused_nonces_percent=10)
    lab.lose(LAB)

    def asked_until_served() -> str | None:
        """Certbot tries again once for each request, so that now and then it gives up."""
        lab.ask()
        attempt = lab.settled_attempts(LAB)[LAB]
        return lab.other_serial(before) if attempt["failures"] == 0 else None

    poll(asked_until_served, 4 * NOTICED_SECONDS)
    lab.pebble.start()


def test_an_older_copy_of_the_volume_serves_on(lab: Lab) -> None:
    older = lab.serial()
    lab.restart("cp -a /state/tls /state/older")
    lab.lose(LAB)
    lab.ask()
    lab.other_serial(older)
    lab.restart("rm -r /state/tls && mv /state/older /state/tls")
    assert lab.serial() == older


def test_names_are_proven_by_a_script_for_dns(lab: Lab) -> None:
    before = lab.serial()
    lab.pebble.tell_dns("set-default-ipv4", ip=lab.pebble.nobody)
    hook = lab.stack.certificates / "the dns's.sh"
    hook.write_text(HOOK)
    lab.lose(LAB)
    lab.stack.set(ACME_DNS_HOOK=hook.name)
    lab.said = 0
    lab.stack.up()
    lab.line(f"No new certificate for {LAB}", "which may not be run", f"chmod +x {shlex.quote(hook.name)}")
    hook.chmod(0o755)
    lab.ask()
    lab.other_serial(before)


def test_a_script_that_fails_is_quoted(lab: Lab) -> None:
    before = lab.serial()
    hook = lab.stack.certificates / "fails.sh"
    hook.write_text("#!/bin/sh\necho The API key has expired. >&2\nexit 3\n")
    hook.chmod(0o755)
    lab.lose(LAB)
    lab.stack.set(ACME_DNS_HOOK=hook.name)
    lab.said = 0
    lab.stack.up()
    lab.line(f"No new certificate for {LAB}", "ACME_DNS_HOOK says: The API key has expired. Mend that script")
    assert lab.serial() == before


def test_a_start_does_not_wait_for_an_acme_server_that_is_silent(lab: Lab) -> None:
    lab.stack.set(ACME_SERVER=SILENT_DIRECTORY, ACME_DNS_HOOK="")
    lab.stack.compose("up", "-d", "--no-build", "limited")
    lab.lose(LAB)
    lab.said = 0
    lab.up_alone()
    lab.private_door().serial()
    # Certbot waits for 45 seconds, and the server has answered before it is done.
    assert "No new certificate" not in lab.stack.door_log()
    poll(lambda: "under way" in lab.attempts().get(LAB, {}).get("reason", "") or None, wanted="an attempt under way")


def test_a_limit_is_told_and_another_server_asked_anew(lab: Lab) -> None:
    before = lab.serial()
    lab.pebble.tell_dns("set-default-ipv4", ip=lab.pebble.workhorse)
    lab.stack.set(ACME_SERVER=LIMITED_DIRECTORY, ACME_DNS_HOOK="")
    lab.said = 0
    lab.stack.up()
    lab.line(f"No new certificate for {LAB}", "too many certificates (5)", "Workhorse waits")
    assert lab.serial() == before


def test_a_forbidden_name_is_told(lab: Lab) -> None:
    names = ",".join([LAB, TWO, BLOCKED])
    lab.stack.set(SERVER_NAMES=names, ACME_SERVER=DIRECTORY)
    lab.said = 0
    lab.stack.up()
    assert "forbidden by policy" in lab.line(f"No new certificate for {BLOCKED}", "private authority's")
    lab.private_door(BLOCKED).serial()


def test_a_start_does_not_wait_for_an_acme_server_that_is_down(brief: Lab) -> None:
    assert brief.up_alone() < START_SECONDS
    brief.line(f"No new certificate for {LAB}", f"So {DIRECTORY} can't be reached from here")
    brief.private_door(LAB).serial()
    brief.pebble.start()
    brief.ask()
    brief.serial()


def test_renewals_under_load_cost_no_handshake_and_no_line(brief: Lab) -> None:
    brief.serial()
    with (
        Client(brief.stack.url, brief.stack.authority()) as client,
        ThreadPoolExecutor(1) as beside,
        Beside(brief.pebble.door(LAB).serial, every_seconds=0.05) as handshakes,
    ):
        client.login(PASSWORD)
        lines = beside.submit(client.start_kernel().run, PRINT.format(count=LINES))
        poll(lambda: len(set(handshakes.results)) >= 3 or None, 3 * SHORT_SECONDS, "two renewals")
        assert lines.result().split() == list(map(str, range(LINES)))
    assert handshakes.failures == []


def test_a_certificate_that_ends_gives_way_to_the_private_one_and_comes_back(brief: Lab) -> None:
    old = brief.serial()
    # Not in the middle of an attempt, which a copy would go on waiting for.
    poll(lambda: copy_is_settled(brief) or None, SHORT_SECONDS, "a copy between two attempts")
    # An attempt may fail before Docker says that the other has stopped.
    brief.said = len(brief.stack.door_log())
    brief.pebble.stop()
    # Noticed at the look that follows, within a second.
    poll(lambda: brief.private_door(LAB).verifies() or None, 2 * SHORT_SECONDS, "the certificate's end")
    brief.line("No longer serving", LAB, "it ended on", "serves instead: private authority")
    assert brief.line(f"No new certificate for {LAB}", "can't be reached")
    brief.pebble.start()
    brief.ask()
    brief.other_serial(old)


def copy_is_settled(lab: Lab) -> bool:
    """Leaves a copy of the folder beside it; whether that one was made between two attempts, which delete files."""
    script = f"rm -rf {TLS}/../older; cp -a {TLS} {TLS}/../older && cat {TLS}/../older/attempts.json"
    return '"failures": 0' in lab.run(script, check=False)


def test_an_expired_copy_of_the_volume_is_renewed_by_itself(brief: Lab) -> None:
    newer = brief.serial()
    # Which would have renewed it before anybody can look.
    brief.stack.compose("pause", "pebble")
    brief.restart("rm -r /state/tls && mv /state/older /state/tls")
    brief.private_door(LAB).serial()
    brief.stack.compose("unpause", "pebble")
    brief.other_serial(newer)
