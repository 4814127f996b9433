"""The door: guessing is slowed down for whoever guesses, and for nobody who has been here before."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from entrypoint.strangers.limiter import BURST_GUESSES, FREE_FAILURES
from tests.clients import Client
from tests.conftest import PASSWORD
from tests.guesses import DOCKER_NETWORKS, TOO_MANY, WRONG, flood, guess, is_signed_out, visitor
from tests.stacks import Stack, new_stack, poll, running

MakeStack = Callable[..., Stack]
SERVER = "$(pgrep -P 1 -f entrypoint.door.server)"
HOSTILE = (
    "", ",", "999.1.1.1", "::::", "127.0.0.1, " * 2000, "[", "fe80::1%" + "x" * 100, "'; DROP", "\xff\xfe", "unknown",
    "1.2.3.4:99999999", "[::1]:x", "%s%n", "١.٢.٣.٤".encode().decode("latin-1"),
)  # fmt: skip


@pytest.fixture(scope="module")
def proxied(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A stack behind a proxy that it trusts, so that each test guesses from addresses of its own."""
    settings = {"JUPYTER_PASSWORD": PASSWORD, "TRUSTED_PROXIES": DOCKER_NETWORKS}
    with running(new_stack(tmp_path_factory.mktemp("proxied"), **settings)) as stack:
        stack.authority()
        yield stack


@pytest.fixture
def trusted(proxied: Stack) -> Path:
    return proxied.folder / "workhorse-ca.pem"


def use_up(stack: Stack, authority: Path, address: str | None = None) -> None:
    """Guesses until the free mistakes are gone."""
    for _ in range(FREE_FAILURES):
        assert guess(stack, authority, address) == 401


def refusal(stack: Stack, authority: Path, address: str | None = None, at_least_seconds: int = 1) -> requests.Response:
    """Guesses until it is refused for so long, which the wait after one admitted guess may bring about."""

    def attempt() -> list[requests.Response]:
        with visitor(stack, authority, address) as client:
            response = client.login(WRONG)
        is_refused = response.status_code == 429
        return [response] if is_refused and int(response.headers["Retry-After"]) >= at_least_seconds else []

    return poll(attempt, wanted="a refusal")[0]


def is_refused_the_password(stack: Stack, authority: Path, address: str | None = None) -> bool | None:
    """A question to poll: where it is asked too late to be within a wait, it is asked within another."""
    refusal(stack, authority, address, at_least_seconds=4)
    with visitor(stack, authority, address) as client:
        return (client.login(PASSWORD).status_code == 429 and not client.is_logged_in()) or None


def test_the_waits_of_one_address_grow_and_the_form_tells_them(proxied: Stack, trusted: Path) -> None:
    use_up(proxied, trusted, "203.0.113.1")
    waits, ages, guessed = [], [], time.monotonic()

    def is_over() -> bool | None:
        nonlocal guessed
        guessed = time.monotonic()
        return guess(proxied, trusted, "203.0.113.1") == 401 or None

    for _ in range(3):
        refused = refusal(proxied, trusted, "203.0.113.1")
        waits.append(int(refused.headers["Retry-After"]))
        ages.append(time.monotonic() - guessed)
        assert f"{TOO_MANY} {waits[-1]} second" in refused.text
        assert 'name="password"' in refused.text
        told = time.monotonic()
        poll(is_over, wanted="the end of the wait")
        assert time.monotonic() - told >= waits[-1] - 1
    assert waits == sorted(waits)
    # What was left of the last when it was told, and what had gone by.
    assert waits[-1] + ages[-1] >= 3 * waits[0]


def test_the_right_password_is_refused_too_while_an_address_waits(proxied: Stack, trusted: Path) -> None:
    use_up(proxied, trusted, "203.0.113.2")
    poll(lambda: is_refused_the_password(proxied, trusted, "203.0.113.2"), wanted="a refusal of the right password")
    with visitor(proxied, trusted, "203.0.113.2") as client:
        poll(lambda: client.login(PASSWORD).status_code == 302 or None, wanted="the end of the wait")
        assert client.is_logged_in()


def test_forwarded_addresses_have_budgets_of_their_own(proxied: Stack, trusted: Path) -> None:
    use_up(proxied, trusted, "203.0.113.3")
    refusal(proxied, trusted, "203.0.113.3")
    assert guess(proxied, trusted, "203.0.113.4") == 401


def test_a_network_of_ipv6_addresses_shares_one_budget(proxied: Stack, trusted: Path) -> None:
    for number in range(FREE_FAILURES):
        assert guess(proxied, trusted, f"2001:db8:0:1::{number}") == 401
    refusal(proxied, trusted, "2001:db8:0:1:ffff::1")
    assert guess(proxied, trusted, "2001:db8:0:2::1") == 401


def test_what_stands_left_of_a_stranger_s_address_is_not_believed(proxied: Stack, trusted: Path) -> None:
    for number in range(FREE_FAILURES):
        assert guess(proxied, trusted, f"198.51.100.{number}, 203.0.113.5") == 401
    refusal(proxied, trusted, "198.51.100.99, 203.0.113.5")


def test_no_forwarded_header_breaks_the_login(proxied: Stack, trusted: Path) -> None:
    with visitor(proxied, trusted) as client:
        client.session.get(f"{proxied.url}/login", timeout=30)
        for header in HOSTILE:
            data = {"password": WRONG, "_xsrf": client.session.cookies["_xsrf"]}
            # In one piece, since requests refuses what a stranger's own program sends.
            headers = {"X-Forwarded-For": header.encode("latin-1")}
            answer = client.session.post(f"{proxied.url}/login", data=data, headers=headers, timeout=30)
            assert answer.status_code in (401, 429), header
    assert "Traceback" not in proxied.log()


def test_a_guess_holds_up_nobody_s_work(proxied: Stack, trusted: Path) -> None:
    with visitor(proxied, trusted, "203.0.113.7") as owner, ThreadPoolExecutor(30) as pool:
        assert owner.login(PASSWORD).status_code == 302
        kernel = owner.start_kernel()
        assert kernel.run("print('ready')") == "ready\n"
        addresses = [f"203.0.113.{100 + number}" for number in range(30)]
        guesses = [pool.submit(guess, proxied, trusted, address) for address in addresses]
        poll(lambda: any(each.done() for each in guesses) or None, wanted="the first guess's end")
        for _ in range(3):
            assert kernel.run("print(1)") == "1\n"
        # argon2 takes a tenth of a second for each; on the event loop, no message could pass until the last.
        assert sum(not each.done() for each in guesses) >= 3
        assert {each.result() for each in guesses} == {401}
        kernel.shut_down()


@pytest.fixture(scope="module")
def owner(stack: Stack, authority: Path) -> Iterator[Client]:
    """A device that logged in to the unproxied stack before anybody guessed."""
    with visitor(stack, authority) as client:
        assert client.login(PASSWORD).status_code == 302
        yield client


def test_a_known_device_logs_in_amid_a_flood_from_its_own_address(stack: Stack, authority: Path, owner: Client) -> None:
    """All connections come from one address here, as they do through Docker's proxy."""
    statuses = flood(stack, authority, [None] * 40)
    assert statuses.count(429) >= 30
    poll(lambda: is_refused_the_password(stack, authority), wanted="a refusal of the right password")
    for cookie in [each.name for each in owner.session.cookies if each.name.startswith("username")]:
        del owner.session.cookies[cookie]
    assert not owner.is_logged_in()
    assert owner.login(PASSWORD).status_code == 302
    assert owner.is_logged_in()


def test_a_sign_out_leaves_a_device_known_amid_a_flood(stack: Stack, authority: Path, owner: Client) -> None:
    stack.workhorse("sign-out")
    poll(lambda: is_signed_out(owner), wanted="the sign-out")
    flood(stack, authority, [None] * 20)
    poll(lambda: is_refused_the_password(stack, authority), wanted="a refusal of the right password")
    assert owner.login(PASSWORD).status_code == 302
    assert owner.is_logged_in()


def test_a_device_s_own_wrong_guesses_are_limited_too(stack: Stack, authority: Path, owner: Client) -> None:
    with visitor(stack, authority) as thief:
        thief.session.cookies.update(owner.session.cookies)
        assert [thief.login(WRONG).status_code for _ in range(FREE_FAILURES)] == [401] * FREE_FAILURES
        poll(lambda: thief.login(WRONG).status_code == 429 or None, wanted="a refusal")


def test_a_made_up_device_cookie_is_none(stack: Stack, authority: Path, owner: Client) -> None:
    refusal(stack, authority)
    genuine = next(each.value for each in owner.session.cookies if each.name == "workhorse-device")
    assert genuine
    for forged in ("x", genuine[:-1] + ("0" if genuine[-1] != "0" else "1"), re.sub(r"\|10:1", "|10:2", genuine)):
        with visitor(stack, authority) as stranger:
            stranger.session.cookies.set("workhorse-device", forged)
            assert 429 in {stranger.login(WRONG).status_code for _ in range(3)}


def test_a_forwarded_address_means_nothing_where_no_proxy_is_trusted(stack: Stack, authority: Path) -> None:
    refusal(stack, authority)
    addresses: list[str | None] = [f"203.0.113.{number}" for number in range(8)]
    assert flood(stack, authority, addresses).count(429) >= 6


def test_a_flood_from_many_addresses_is_bounded_in_guesses_and_in_memory(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD, TRUSTED_PROXIES=DOCKER_NETWORKS)
    stack.up()
    authority = stack.authority()
    with visitor(stack, authority, "203.0.113.1") as owner:
        assert owner.login(PASSWORD).status_code == 302
        warm = flood(stack, authority, [f"198.18.0.{number}" for number in range(BURST_GUESSES + 10)])
        assert warm.count(401) >= BURST_GUESSES
        # Of as many threads as ran at once, none has ended.
        assert lanes(stack) == 1
        flood(stack, authority, many_addresses(18))
        before = server_memory(stack)
        statuses = flood(stack, authority, many_addresses(19))
        assert statuses.count(429) >= 0.95 * len(statuses)
        # Two kilobytes kept for each would show.
        assert server_memory(stack) - before < 2_000_000
        with visitor(stack, authority, "203.0.113.1") as device:
            device.session.cookies.set("workhorse-device", owner.session.cookies["workhorse-device"])
            assert device.login(PASSWORD).status_code == 302
        assert lanes(stack) == 2


def many_addresses(network: int) -> list[str | None]:
    return [f"198.{network}.{number // 250 + 1}.{number % 250}" for number in range(1500)]


def lanes(stack: Stack) -> int:
    """How many threads of the door check guesses: those that give way to the others (see proc_pid_stat(5))."""
    nices = stack.door_shell(f"awk '{{print $19}}' /proc/{SERVER}/task/*/stat").split()
    return nices.count("10")


def server_memory(stack: Stack) -> int:
    """The door's own memory, in bytes."""
    return 1024 * int(stack.door_shell(f"awk '/^RssAnon/ {{print $2}}' /proc/{SERVER}/status"))


def test_a_crash_of_the_server_gives_no_guess_back(own_stack: MakeStack) -> None:
    stack = own_stack(JUPYTER_PASSWORD=PASSWORD)
    stack.up()
    authority = stack.authority()
    use_up(stack, authority)
    refusal(stack, authority, at_least_seconds=10)
    stack.compose("kill", "workhorse")
    stack.up()
    # However long that took: one guess may have become free, and it makes the next wait longer than the last.
    assert 429 in [guess(stack, authority) for _ in range(2)]
