"""The limiter: guessing stays slow, waiting ends when it was said to, and no flood holds up a known device."""

from __future__ import annotations

from math import inf, isnan, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from entrypoint.strangers.limiter import (
    BURST_GUESSES,
    DEVICES,
    FAILURES_MAX,
    FREE_FAILURES,
    REFILL_SECONDS,
    WAIT_SECONDS_MAX,
    Limiter,
    wait_after,
)

HOUR = 3600.0
DAY = 24 * HOUR
OWNER = "device:phone"
STRANGER = "203.0.113.7"
REMEMBERED_HOURS = 16
REMEMBERED_MAX = 11_620  # as the docstring of Limiter reckons it

# Multiples of 1/64 second are exact in floating point, so "at that very moment" can be tested.
moments = st.integers(0, int(20 * HOUR) * 64).map(lambda ticks: ticks / 64)
pauses = st.sampled_from([0.0, 1 / 64, 1.0, 5.0, 60.0, 899.0, 900.0, HOUR]) | moments
clients = st.sampled_from([STRANGER, "198.51.100.1", "2001:db8::/64", OWNER, "device:laptop"])


def remembered(limiter: Limiter) -> int:
    return len(limiter._records)


def admitted(limiter: Limiter, client: str, start: float, seconds: float) -> int:
    """How many guesses a client gets that comes back the moment it may."""
    now, count = start, 0
    while now < start + seconds:
        wait = limiter.begin(client, now)
        now, count = now + wait, count + (not wait)
    return count


def fail(limiter: Limiter, client: str, times: int, now: float = 0.0) -> float:
    """Lets a client fail so often, waiting as it must; returns when the last guess began."""
    for _ in range(times):
        now += limiter.wait_seconds(client, now)
        assert limiter.begin(client, now) == 0
    return now


def exhaust_common_budget(limiter: Limiter, now: float = 0.0) -> None:
    while limiter.begin(f"10.0.0.{remembered(limiter)}", now) == 0:
        pass


def test_a_few_mistakes_cost_no_waiting() -> None:
    limiter = Limiter()
    assert [limiter.begin(STRANGER, 7.0) for _ in range(FREE_FAILURES)] == [0] * 5
    assert limiter.begin(STRANGER, 7.0) == 1


def test_delays_double_up_to_a_quarter_of_an_hour() -> None:
    waits = [wait_after(failures) for failures in range(4, 17)]
    assert waits == [0, 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]


def test_a_thousand_guesses_at_once_get_the_budget_of_one_after_another() -> None:
    limiter = Limiter()
    assert sum(limiter.begin(STRANGER, 7.0) == 0 for _ in range(1000)) == FREE_FAILURES


def test_one_address_gets_a_hundred_guesses_a_day() -> None:
    limiter = Limiter()
    assert 96 < admitted(limiter, STRANGER, 0.0, DAY) <= 15 + 96
    assert admitted(limiter, STRANGER, DAY + 900, DAY) == 96


def test_all_addresses_together_get_the_common_budget() -> None:
    limiter, now, count = Limiter(), 0.0, 0
    while now < DAY:
        wait = limiter.begin(f"2001:db8:0:{count:x}::/64", now)
        now, count = now + wait, count + (not wait)
    assert count == BURST_GUESSES + DAY / REFILL_SECONDS - 1


def test_a_spent_common_budget_refills_one_guess_at_a_time() -> None:
    limiter = Limiter()
    exhaust_common_budget(limiter)
    assert limiter.begin(STRANGER, 0.0) == REFILL_SECONDS
    assert limiter.begin(STRANGER, REFILL_SECONDS) == 0
    assert limiter.begin("198.51.100.1", REFILL_SECONDS) == REFILL_SECONDS


def test_a_device_guesses_while_the_common_budget_is_spent() -> None:
    limiter = Limiter()
    exhaust_common_budget(limiter)
    assert limiter.begin(OWNER, 0.0) == 0


def test_a_device_does_not_draw_on_the_common_budget() -> None:
    limiter = Limiter()
    for number in range(2 * BURST_GUESSES):
        limiter.begin(f"device:{number}", 0.0)
    assert limiter.begin(STRANGER, 0.0) == 0


def test_a_stolen_device_cookie_is_slowed_down_like_an_address() -> None:
    assert admitted(Limiter(), OWNER, 0.0, DAY) == admitted(Limiter(), STRANGER, 0.0, DAY)


def test_stolen_cookies_of_all_devices_guess_less_than_strangers_do() -> None:
    a_second_day = admitted(Limiter(), OWNER, 0.0, 2 * DAY) - admitted(Limiter(), OWNER, 0.0, DAY)
    assert DEVICES * a_second_day < DAY / REFILL_SECONDS


def test_a_login_forgives_the_mistakes_before_it() -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, 8)
    limiter.succeeded(STRANGER)
    assert sum(limiter.begin(STRANGER, now) == 0 for _ in range(20)) == FREE_FAILURES


def test_a_login_forgives_nobody_else() -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, 12)
    waiting = limiter.wait_seconds(STRANGER, now)
    limiter.begin("198.51.100.1", now)
    limiter.succeeded("198.51.100.1")
    assert limiter.wait_seconds(STRANGER, now) == waiting > 0


def test_logging_in_right_costs_the_common_budget_nothing() -> None:
    limiter = Limiter()
    for _ in range(10 * BURST_GUESSES):
        assert limiter.begin(STRANGER, 0.0) == 0
        limiter.succeeded(STRANGER)
    assert limiter.begin("198.51.100.1", 0.0) == 0


def test_a_device_that_logs_in_gives_strangers_no_guess() -> None:
    limiter = Limiter()
    exhaust_common_budget(limiter)
    limiter.begin(OWNER, 0.0)
    limiter.succeeded(OWNER)
    assert limiter.begin(STRANGER, 0.0) == REFILL_SECONDS


def test_a_success_that_nobody_began_adds_no_guess() -> None:
    limiter = Limiter()
    exhaust_common_budget(limiter)
    for number in range(50):
        limiter.succeeded(f"nobody-{number}")
    assert limiter.begin(STRANGER, 0.0) == REFILL_SECONDS


def test_a_failure_is_forgiven_for_each_hour_without_one() -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, 10)
    fail(limiter, STRANGER, 1, now + 3 * HOUR)
    assert limiter.wait_seconds(STRANGER, now + 3 * HOUR) == wait_after(10 - 3 + 1)


def test_just_under_an_hour_forgives_nothing() -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, 6) + HOUR - 1
    fail(limiter, STRANGER, 1, now)
    assert limiter.wait_seconds(STRANGER, now) == wait_after(7)


def test_the_longest_attack_is_forgiven_after_a_night() -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, 100) + FAILURES_MAX * HOUR
    assert sum(limiter.begin(STRANGER, now) == 0 for _ in range(20)) == FREE_FAILURES


def test_a_refusal_makes_nobody_wait_longer() -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, 12)
    waits = {limiter.begin(STRANGER, now) for _ in range(100)}
    assert waits == {wait_after(12)}


@pytest.mark.parametrize("earlier", [999.0, 0.0, -1e9])
def test_a_clock_that_goes_back_unlocks_nothing(earlier: float) -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, 12, 1000.0)
    assert limiter.begin(STRANGER, earlier) == wait_after(12)
    assert limiter.begin(STRANGER, now + wait_after(12) - 1) == 1
    assert limiter.begin(STRANGER, now + wait_after(12)) == 0


def test_a_time_that_is_no_number_counts_as_standing_still() -> None:
    limiter = Limiter()
    fail(limiter, STRANGER, 12)
    wait = limiter.begin(STRANGER, nan)
    assert not isnan(wait)
    assert wait == wait_after(12)


def test_a_refusal_is_not_remembered() -> None:
    limiter = Limiter()
    for number in range(20_000):
        limiter.begin(f"address-{number}", 0.0)
    assert remembered(limiter) == BURST_GUESSES


def test_asking_is_not_remembered() -> None:
    limiter = Limiter()
    for number in range(1000):
        assert limiter.wait_seconds(f"address-{number}", 0.0) == 0
    assert remembered(limiter) == 0


def test_three_days_of_flood_fit_into_memory() -> None:
    limiter = Limiter()
    for number in range(int(3 * DAY / REFILL_SECONDS)):
        assert limiter.begin(f"address-{number}", number * REFILL_SECONDS) == 0
    assert remembered(limiter) <= REMEMBERED_MAX


def test_a_flood_does_not_free_an_address_from_its_wait() -> None:
    limiter = Limiter()
    now = fail(limiter, STRANGER, FAILURES_MAX)
    for number in range(50_000):
        limiter.begin(f"address-{number}", now + number / 100)
    assert limiter.begin(STRANGER, now + 500) == 400


@given(st.lists(st.tuples(clients, pauses), max_size=60), clients)
def test_a_wait_lasts_exactly_as_long_as_announced(guesses: list[tuple[str, float]], client: str) -> None:
    limiter, now = Limiter(), 0.0
    for guesser, pause in guesses:
        limiter.begin(guesser, now)
        now += pause / 64
    now = fail(limiter, client, 6, now)
    wait = limiter.wait_seconds(client, now)
    assert wait > 0
    assert all(limiter.wait_seconds(client, now + wait * part / 64) > 0 for part in range(64))
    assert limiter.begin(client, now + wait) == 0


@given(st.lists(st.tuples(pauses, st.booleans(), st.integers(0, 150)), max_size=30))
def test_a_device_never_notices_a_flood(visits: list[tuple[float, bool, int]]) -> None:
    quiet, flooded, now = Limiter(), Limiter(), 0.0
    for pause, right, flood in visits:
        now += pause
        for number in range(flood):
            flooded.begin(f"address-{now}-{number % 120}", now)
        wait = quiet.begin(OWNER, now)
        assert flooded.begin(OWNER, now) == wait
        if right and not wait:
            quiet.succeeded(OWNER)
            flooded.succeeded(OWNER)


class AnyUse(RuleBasedStateMachine):
    """Clients, floods, logins and a clock of any gait, against the promises that were made on the way."""

    def __init__(self) -> None:
        super().__init__()
        self.limiter = Limiter()
        self.clock = 0.0
        self.latest = -inf  # that the limiter was told
        self.promises: dict[str, float] = {}
        self.guesses: list[float] = []

    def begin(self, client: str) -> float:
        self.latest = max(self.latest, self.clock)
        wait = self.limiter.begin(client, self.clock)
        if not wait:
            self.guesses.append(self.latest)
        return wait

    @rule(pause=pauses)
    def time_passes(self, pause: float) -> None:
        self.clock += pause

    @rule(pause=pauses)
    def the_clock_goes_back(self, pause: float) -> None:
        self.clock -= pause

    @rule(client=clients)
    def somebody_guesses(self, client: str) -> None:
        wait = self.begin(client)
        if wait:
            assert 0 < wait <= WAIT_SECONDS_MAX
            assert self.promises.setdefault(client, self.latest + wait) <= self.latest + wait
        else:
            assert self.promises.pop(client, self.latest) <= self.latest

    @rule(client=clients, times=st.integers(5, 20))
    def somebody_guesses_without_a_break(self, client: str, times: int) -> None:
        for _ in range(times):
            self.somebody_guesses(client)
        assert self.begin(client) > 0

    @rule(client=clients)
    def somebody_waits_and_guesses(self, client: str) -> None:
        self.latest = max(self.latest, self.clock)
        self.clock = self.latest + self.limiter.wait_seconds(client, self.clock)
        assert self.begin(client) == 0
        assert self.promises.pop(client, self.latest) <= self.latest

    @rule(size=st.integers(1, 150))
    def a_flood_comes(self, size: int) -> None:
        for number in range(size):
            self.begin(f"flood-{self.clock}-{number}")

    @rule(client=clients)
    def somebody_logs_in(self, client: str) -> None:
        self.limiter.succeeded(client)
        # A login gives its guess back, which may admit an address earlier than it was told, but never a device.
        self.promises = {each: end for each, end in self.promises.items() if each.startswith("device:")}
        self.promises.pop(client, None)

    @invariant()
    def only_late_guesses_are_remembered(self) -> None:
        late = sum(guess >= self.guesses[-1] - REMEMBERED_HOURS * HOUR for guess in self.guesses)
        assert remembered(self.limiter) <= late <= REMEMBERED_MAX


TestAnyUse = AnyUse.TestCase
