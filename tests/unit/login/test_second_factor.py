"""The second factor: a code lets in once, at its time, however it is typed; what is kept is judged when read."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pyotp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyotp import TOTP

from entrypoint.login.second_factor import (
    RECOVERY_CODES,
    STEP_MAX,
    SecondFactor,
    check,
    from_json,
    new_second_factor,
    provisioning_uri,
    to_json,
)

NOW = datetime(2026, 3, 1, 12, 0, 10, tzinfo=UTC)
STEP = timedelta(seconds=30)
STEP_NOW = int(NOW.timestamp()) // 30
# RFC 6238, appendix B: the ASCII digits 12345678901234567890, and the last six digits of its SHA-1 codes.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
RFC_FACTOR = SecondFactor(RFC_SECRET, 0, ())

times = st.datetimes(datetime(1971, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))
hashes = st.text("0123456789abcdef", min_size=64, max_size=64)
factors = st.builds(
    SecondFactor,
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", min_size=32, max_size=32),
    st.integers(0, STEP_MAX),
    st.lists(hashes, max_size=RECOVERY_CODES, unique=True).map(tuple),
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=6,
)


def code_at(factor: SecondFactor, now: datetime) -> str:
    return TOTP(factor.secret).at(now)


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(59, "287082"), (1111111109, "081804"), (1111111111, "050471"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_the_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    kept = check(RFC_FACTOR, code, datetime.fromtimestamp(seconds, UTC))
    assert kept == replace(RFC_FACTOR, last_step=seconds // 30)


@pytest.mark.parametrize(("steps", "accepted"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_step_off(steps: int, accepted: bool) -> None:
    kept = check(RFC_FACTOR, code_at(RFC_FACTOR, NOW + steps * STEP), NOW)
    assert (kept is not None) == accepted
    assert kept is None or kept.last_step == STEP_NOW + steps


def test_a_code_lets_in_once() -> None:
    code = code_at(RFC_FACTOR, NOW)
    kept = check(RFC_FACTOR, code, NOW)
    assert kept
    assert check(kept, code, NOW) is None
    assert check(kept, code, NOW + STEP) is None


def test_a_spent_code_takes_the_earlier_ones_with_it() -> None:
    kept = check(RFC_FACTOR, code_at(RFC_FACTOR, NOW), NOW)
    assert kept
    assert check(kept, code_at(RFC_FACTOR, NOW - STEP), NOW) is None
    assert check(kept, code_at(RFC_FACTOR, NOW + STEP), NOW)


def test_a_clock_that_goes_back_makes_no_spent_code_good_again() -> None:
    code = code_at(RFC_FACTOR, NOW)
    kept = check(RFC_FACTOR, code, NOW)
    assert kept
    assert check(kept, code, NOW - timedelta(days=1)) is None
    yesterday = NOW - timedelta(days=1)
    assert check(kept, code_at(RFC_FACTOR, yesterday), yesterday) is None


def test_each_recovery_code_lets_in_once_in_any_order() -> None:
    factor, codes = new_second_factor()
    for left, code in reversed(list(enumerate(codes))):
        kept = check(factor, code, NOW)
        assert kept
        assert len(kept.recovery_hashes) == left
        assert check(kept, code, NOW) is None
        factor = kept
    assert factor.recovery_hashes == ()


def test_a_recovery_code_spends_no_step() -> None:
    factor, codes = new_second_factor()
    kept = check(factor, codes[3], NOW)
    assert kept
    assert check(kept, code_at(kept, NOW), NOW)


@pytest.mark.parametrize("separator", [" ", "-", "–", "—", "\t", "\n", "\u00a0", "\u2011"])
def test_spaces_and_dashes_do_not_matter(separator: str) -> None:
    factor, codes = new_second_factor()
    for code in (code_at(factor, NOW), codes[0]):
        assert check(factor, separator.join(["", code[:3], code[3:], ""]), NOW)


def test_capitals_and_missing_dashes_do_not_matter() -> None:
    factor, codes = new_second_factor()
    assert check(factor, codes[0].upper().replace("-", ""), NOW)


@pytest.mark.parametrize("spelling", ["", "{:.5}", "{}0", "0{}", "+{}", "{}.0", "{}\0"])
def test_a_code_with_more_or_less_in_it_is_refused(spelling: str) -> None:
    factor, codes = new_second_factor()
    assert check(factor, spelling.format(code_at(factor, NOW)), NOW) is None
    assert check(factor, spelling.format(codes[0]), NOW) is None


def test_a_code_in_front_of_a_long_text_is_refused() -> None:
    assert check(RFC_FACTOR, code_at(RFC_FACTOR, NOW) + " " * 10_000, NOW) is None


def test_nothing_is_accepted_when_every_recovery_code_is_spent() -> None:
    assert check(RFC_FACTOR, "", NOW) is None
    assert check(RFC_FACTOR, "-", NOW) is None


def test_factors_and_their_recovery_codes_are_all_different() -> None:
    made = [new_second_factor() for _ in range(20)]
    assert len({factor.secret for factor, _ in made}) == 20
    assert len({code for _, codes in made for code in codes}) == 20 * RECOVERY_CODES


def test_a_recovery_code_is_as_strong_and_readable_as_a_generated_password() -> None:
    for code in new_second_factor()[1]:
        assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
        assert code.islower()


def test_neither_secrets_nor_hashes_are_shown() -> None:
    factor, codes = new_second_factor()
    assert factor.secret not in repr(factor)
    assert not any(hashed in repr(factor) for hashed in factor.recovery_hashes)
    assert not any(code in to_json(factor) for code in codes)


@pytest.mark.parametrize("host", ["lab.example.org", "lab.example.org:8888", "[fd00::1]:8888", "a b&c=d?e/f%"])
def test_an_app_reads_the_same_secret_and_the_host(host: str) -> None:
    uri = provisioning_uri(RFC_FACTOR, host)
    phone = pyotp.parse_uri(uri)
    assert isinstance(phone, TOTP)
    assert (phone.secret, phone.name, phone.issuer) == (RFC_SECRET, host, "Workhorse")
    assert phone.at(NOW) == code_at(RFC_FACTOR, NOW)
    assert uri.startswith("otpauth://totp/Workhorse:")


@given(st.text() | st.text("0123456789 -", max_size=8) | st.text(st.characters(categories=["Cs", "Nd", "Zs"])), times)
def test_any_text_is_refused_or_spends_a_step(text: str, now: datetime) -> None:
    factor = new_second_factor()[0]
    kept = check(factor, text, now)
    assert kept is None or kept.last_step > factor.last_step


@given(factors, times, st.integers(-3, 3))
def test_a_step_is_accepted_when_it_is_near_and_not_spent(factor: SecondFactor, now: datetime, steps: int) -> None:
    step_now = int(now.timestamp()) // 30
    factor = replace(factor, last_step=max(0, step_now + steps))
    for near in (-1, 0, 1):
        kept = check(factor, TOTP(factor.secret).generate_otp(step_now + near), now)
        if near > steps:
            assert kept
        assert kept is None or step_now - 1 <= kept.last_step <= step_now + 1
        assert kept is None or kept.last_step > factor.last_step


@given(factors)
def test_what_is_kept_comes_back_the_same(factor: SecondFactor) -> None:
    assert from_json(to_json(factor)) == factor
    assert from_json(to_json(factor).encode()) == factor


def kept_json(**changes: object) -> str:
    return json.dumps({"secret": RFC_SECRET, "last_step": 7, "recovery_hashes": ["0a" * 32]} | changes)


def test_the_json_that_the_refused_ones_differ_from_is_sound() -> None:
    assert from_json(kept_json()) == SecondFactor(RFC_SECRET, 7, ("0a" * 32,))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not kept as JSON"),
        (b"\xff\xfe\xfa", "not kept as JSON"),
        ("[" * 100_000, "not kept as JSON"),
        (f'{{"last_step": {"9" * 5000}}}', "not kept as JSON"),
        ("[]", "missing or unknown fields"),
        ("{}", "missing or unknown fields"),
        (kept_json(more=1), "missing or unknown fields"),
        (kept_json(secret=""), "secret"),
        (kept_json(secret=None), "secret"),
        (kept_json(secret=RFC_SECRET.lower()), "secret"),
        (kept_json(secret=RFC_SECRET[:16]), "secret"),
        (kept_json(secret=f"{RFC_SECRET}\n"), "secret"),
        (kept_json(secret=f"{RFC_SECRET[:-1]}1"), "secret"),
        (kept_json(last_step=-1), "last step"),
        (kept_json(last_step=1.5), "last step"),
        (kept_json(last_step=True), "last step"),
        (kept_json(last_step="7"), "last step"),
        (kept_json(last_step=STEP_MAX + 1), "last step"),
        (kept_json(last_step=float("nan")), "last step"),
        (kept_json(recovery_hashes="0a" * 32), "not a list"),
        (kept_json(recovery_hashes=[7]), "not a list"),
        (kept_json(recovery_hashes=["0A" * 32]), "not a list"),
        (kept_json(recovery_hashes=["0a" * 31]), "not a list"),
        (kept_json(recovery_hashes=["0a" * 32] * 2), "all different"),
        (kept_json(recovery_hashes=[f"{number:064x}" for number in range(11)]), "more than 10"),
    ],
)
def test_an_unsound_factor_is_refused_with_its_reason(text: str | bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason) as error:
        from_json(text)
    assert RFC_SECRET not in str(error.value)


@given(st.text() | st.binary() | json_values.map(json.dumps))
def test_nothing_but_a_factor_is_read_as_one(text: str | bytes) -> None:
    with pytest.raises(ValueError, match="the second factor"):
        from_json(text)


@given(st.sampled_from(["secret", "last_step", "recovery_hashes"]), json_values)
def test_any_value_in_a_field_is_sound_or_refused(name: str, value: object) -> None:
    try:
        factor = from_json(kept_json(**{name: value}))
    except ValueError as error:
        assert str(error).startswith("the second factor's")
    else:
        assert from_json(to_json(factor)) == factor
        assert check(factor, "000000", NOW) != factor
